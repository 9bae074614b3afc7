package main

import (
	"io"
	"net"
)

func startRelay(given settings) func(*net.TCPConn) {
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: given["upstream"]}
	return func(client *net.TCPConn) {
		upstream, err := net.DialTCP("tcp4", nil, address)
		if err != nil {
			return
		}
		defer upstream.Close()
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			pass(client, upstream)
		}()
		pass(upstream, client)
		<-answered
	}
}

// pass copies one direction until its end, which it passes on. A failure ends both directions.
func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}
