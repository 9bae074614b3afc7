package main

import (
	"io"
	"net"
)

func startStream(given settings) func(*net.TCPConn) {
	block := make([]byte, given["block"])
	for i := range block {
		block[i] = byte(i % 251)
	}
	return func(conn *net.TCPConn) {
		go func() {
			io.Copy(io.Discard, conn) // until the peer goes away
			conn.Close()
		}()
		for {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	}
}
