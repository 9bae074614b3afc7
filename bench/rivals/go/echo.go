package main

import "net"

func startEcho(settings) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		forEachRead(conn, func(bytes []byte) error {
			_, err := conn.Write(bytes)
			return err
		})
	}
}

// forEachRead hands over what each read brings, until the connection ends, fails, or the callee does.
func forEachRead(conn *net.TCPConn, handle func([]byte) error) {
	buffer := make([]byte, bufferSize)
	for {
		n, err := conn.Read(buffer)
		if err != nil || handle(buffer[:n]) != nil {
			return
		}
	}
}
