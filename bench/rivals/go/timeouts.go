package main

import (
	"net"
	"time"
)

func startTimeouts(given settings) func(*net.TCPConn) {
	idle := time.Duration(given["idle"]) * time.Millisecond
	return func(conn *net.TCPConn) {
		if conn.SetDeadline(time.Now().Add(idle)) != nil {
			return
		}
		forEachRead(conn, func(bytes []byte) error {
			if err := conn.SetDeadline(time.Now().Add(idle)); err != nil {
				return err
			}
			_, err := conn.Write(bytes)
			return err
		})
	}
}
