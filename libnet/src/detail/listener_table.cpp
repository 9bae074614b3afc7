#include "libnet/detail/listener_table.hpp"

#include <algorithm>
#include <cassert>
#include <vector>

namespace libnet::detail {

struct ListenerTable::Entry {
  static constexpr unsigned id_bits = 56;
  static constexpr std::uint64_t id_mask = (std::uint64_t{1} << id_bits) - 1;

  std::unique_ptr<Callable> callable;
  std::uint64_t id : id_bits;
  std::uint64_t kind : 6;
  std::uint64_t once : 1;
  std::uint64_t removed : 1;  // it is still here only because of a walk
};

/// The listeners in their order. Lives on without its table while a listener runs.
struct ListenerTable::Body {
  void bury_removed() noexcept;

  std::vector<Entry> entries;
  Walk* innermost = nullptr;
  bool any_removed = false;
  bool orphaned = false;
};

/// Destroys the removed listeners, each when it is out of the list, since its destructor may come back to the table.
void ListenerTable::Body::bury_removed() noexcept {
  const auto is_removed = [](const Entry& entry) { return entry.removed != 0; };
  while (any_removed) {
    const auto last = std::find_if(entries.rbegin(), entries.rend(), is_removed);
    any_removed = last != entries.rend();
    if (!any_removed) return;
    const std::unique_ptr<Callable> dying = std::move(last->callable);
    entries.erase(last.base() - 1);
  }
}

/// A walk over the entries. As long as there is one, entries are only marked as removed: one of them may be running. The
/// outermost walk buries them at its end, and the whole body if its table is gone.
class ListenerTable::Walk {
 public:
  explicit Walk(Body& body) noexcept : body_(body), outer_(std::exchange(body.innermost, this)) {}
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  ~Walk() {
    if (outer_ == nullptr) body_.bury_removed();
    body_.innermost = outer_;
    if (outer_ == nullptr && body_.orphaned) delete &body_;
  }

  /// The next entry that is not removed, null at the end. The next addition to the table invalidates it.
  Entry* next() noexcept {
    while (next_ < body_.entries.size()) {
      Entry& entry = body_.entries[next_++];
      if (entry.removed == 0) return &entry;
    }
    return nullptr;
  }

  void mark_removed(Entry& entry) noexcept { entry.removed = body_.any_removed = true; }

  /// An entry was put in front of all others.
  void shift() noexcept {
    ++next_;
    if (outer_ != nullptr) outer_->shift();
  }

 private:
  Body& body_;
  Walk* const outer_;
  std::size_t next_ = 0;
};

ListenerTable::~ListenerTable() {
  ending_ = true;
  clear();
}

ListenerId ListenerTable::add(std::uint8_t kind, std::unique_ptr<Callable> callable, Place place, bool once) {
  assert(kind < kinds);
  const std::uint64_t id = ++last_id_;
  if (ending_) return ListenerId{id};
  if (body_ == nullptr) body_ = new Body;
  Entry entry{std::move(callable), id & Entry::id_mask, static_cast<std::uint8_t>(kind & (kinds - 1)), once, false};
  if (place == Place::back) {
    body_->entries.push_back(std::move(entry));
  } else {
    body_->entries.insert(body_->entries.begin(), std::move(entry));
    if (body_->innermost != nullptr) body_->innermost->shift();
  }
  present_ |= std::uint32_t{1} << kind;
  return ListenerId{id};
}

template <class Predicate>
bool ListenerTable::remove_if(Predicate chosen) noexcept {
  if (body_ == nullptr) return false;
  bool found = false;
  Walk walk(*body_);
  while (Entry* const entry = walk.next()) {
    if (!chosen(*entry)) continue;
    walk.mark_removed(*entry);
    found = true;
  }
  if (found) note_present();
  return found;  // the end of the walk may destroy the table
}

bool ListenerTable::remove(ListenerId id) {
  return remove_if([id](const Entry& entry) { return ListenerId{entry.id} == id; });
}

void ListenerTable::remove_all(std::uint8_t kind) {
  if (any(kind)) remove_if([kind](const Entry& entry) { return entry.kind == kind; });
}

void ListenerTable::clear() noexcept {
  if (body_ == nullptr) return;
  Walk walk(*body_);
  while (Entry* const entry = walk.next()) walk.mark_removed(*entry);
  body_->orphaned = true;
  body_ = nullptr;
  present_ = 0;
}

std::size_t ListenerTable::count(std::uint8_t kind) const noexcept {
  if (!any(kind)) return 0;
  const auto counts = [kind](const Entry& entry) { return entry.removed == 0 && entry.kind == kind; };
  return static_cast<std::size_t>(std::count_if(body_->entries.begin(), body_->entries.end(), counts));
}

void ListenerTable::call_listeners(std::uint8_t kind, const void* arguments) {
  const std::uint64_t newest = last_id_;
  Walk walk(*body_);
  while (Entry* const entry = walk.next()) {
    if (entry->kind != kind || entry->id > newest) continue;
    Callable& listener = *entry->callable;
    if (entry->once != 0) {
      walk.mark_removed(*entry);
      note_present();  // of a table that still exists: with it all its entries would have been removed
    }
    listener.call(arguments);
  }
}

void ListenerTable::note_present() noexcept {
  present_ = 0;
  for (const Entry& entry : body_->entries) {
    if (entry.removed == 0) present_ |= std::uint32_t{1} << entry.kind;
  }
}

}  // namespace libnet::detail
