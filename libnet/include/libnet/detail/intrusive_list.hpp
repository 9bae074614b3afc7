#pragma once

#include <cstddef>

/// A doubly linked list whose links live in its elements: nothing is allocated, and an element knows whether it is in.
namespace libnet::detail {

template <class T>
class List;

template <class T>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const noexcept { return next_ != nullptr; }

 private:
  friend class List<T>;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

template <class T>
class List {
 public:
  List() noexcept { root_.next_ = root_.previous_ = &root_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const noexcept { return root_.next_ == &root_; }
  T& front() noexcept { return static_cast<T&>(*root_.next_); }
  T& back() noexcept { return static_cast<T&>(*root_.previous_); }
  /// The one before an element of this list; null if it is the first.
  T* before(T& element) noexcept {
    ListNode<T>* const node = static_cast<ListNode<T>&>(element).previous_;
    return node != &root_ ? static_cast<T*>(node) : nullptr;
  }

  void push_back(T& element) noexcept { insert_before(root_, element); }
  void push_front(T& element) noexcept { insert_before(*root_.next_, element); }

  static void remove(T& element) noexcept {
    ListNode<T>& node = element;
    node.previous_->next_ = node.next_;
    node.next_->previous_ = node.previous_;
    node.next_ = node.previous_ = nullptr;
  }

  T& pop_front() noexcept {
    T& element = front();
    remove(element);
    return element;
  }

  /// Calls `action` with each element; it must not change the list.
  template <class Action>
  void for_each(Action action) {
    for (ListNode<T>* node = root_.next_; node != &root_; node = node->next_) action(static_cast<T&>(*node));
  }

  /// Moves all elements of `other` before those of this list.
  void prepend(List& other) noexcept {
    if (other.empty()) return;
    ListNode<T>& first = *other.root_.next_;
    ListNode<T>& last = *other.root_.previous_;
    last.next_ = root_.next_;
    root_.next_->previous_ = &last;
    root_.next_ = &first;
    first.previous_ = &root_;
    other.root_.next_ = other.root_.previous_ = &other.root_;
  }

 private:
  static void insert_before(ListNode<T>& place, ListNode<T>& node) noexcept {
    node.next_ = &place;
    node.previous_ = place.previous_;
    place.previous_->next_ = &node;
    place.previous_ = &node;
  }

  ListNode<T> root_;
};

}  // namespace libnet::detail
