package main

import "net"

func startPieces(given settings) func(*net.TCPConn) {
	size := given["size"]
	return func(conn *net.TCPConn) {
		forEachRead(conn, func(bytes []byte) error { return writeInPieces(conn, bytes, size) })
	}
}

func writeInPieces(conn *net.TCPConn, bytes []byte, size int) error {
	for len(bytes) > size {
		if _, err := conn.Write(bytes[:size]); err != nil {
			return err
		}
		bytes = bytes[size:]
	}
	_, err := conn.Write(bytes)
	return err
}
