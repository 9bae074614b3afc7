package main

import (
	"io"
	"net"
	"sync"
)

// A group is all open connections. A message is written to one after the other under the lock: a slow reader holds back
// the senders, so nothing waits in memory.
type group struct {
	mutex   sync.Mutex
	members map[*net.TCPConn]struct{}
}

func (g *group) join(conn *net.TCPConn) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.members[conn] = struct{}{}
}

func (g *group) leave(conn *net.TCPConn) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	delete(g.members, conn)
}

func (g *group) send(message []byte) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for member := range g.members {
		member.Write(message) // a member that failed leaves when its own read fails
	}
}

func startFanOut(given settings) func(*net.TCPConn) {
	all := &group{members: map[*net.TCPConn]struct{}{}}
	return func(conn *net.TCPConn) {
		all.join(conn)
		defer all.leave(conn)
		message := make([]byte, given["size"])
		for {
			if _, err := io.ReadFull(conn, message); err != nil {
				return
			}
			all.send(message)
		}
	}
}
