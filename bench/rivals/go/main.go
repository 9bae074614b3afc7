// The rival written with Go's net: one file a server.
//
//	bench-go SERVER [NAME=VALUE]...
//	bench-go --version
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"
)

const bufferSize = 16 * 1024 // of one connection [bytes]

// A server's start makes, from checked settings, what serves one connection; the connection is closed when that returns.
type server struct {
	name     string
	settings []setting
	start    func(settings) func(*net.TCPConn)
}

var servers = []server{
	{"echo", nil, startEcho},
	{"pieces", []setting{{"size", 64, highestSize}}, startPieces},
	{"timeouts", []setting{{"idle", 30000, longestIdle}}, startTimeouts},
	{"stream", []setting{{"block", 65536, highestSize}}, startStream},
	{"fan_out", []setting{{"size", 1024, highestSize}}, startFanOut},
	{"relay", []setting{{"upstream", mustBeGiven, highestPort}}, startRelay},
}

func main() {
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench-go:", err)
	if errors.As(err, new(usageError)) {
		os.Exit(2)
	}
	os.Exit(1)
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return usageError("usage: bench-go SERVER [NAME=VALUE]... | --version")
	}
	if arguments[0] == "--version" {
		fmt.Println("go", strings.TrimPrefix(runtime.Version(), "go"))
		return nil
	}
	for _, server := range servers {
		if server.name == arguments[0] {
			return server.run(arguments[1:])
		}
	}
	return usageError(fmt.Sprintf("'%s' is no server; it must be echo, pieces, timeouts, stream, fan_out or relay", arguments[0]))
}

func (s server) run(arguments []string) error {
	given, err := readSettings(s.settings, arguments)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	// Go listens with the system's longest backlog and sets TCP_NODELAY on every connection.
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	return acceptAll(listener, s.start(given))
}

func acceptAll(listener *net.TCPListener, serve func(*net.TCPConn)) error {
	for {
		conn, err := listener.AcceptTCP()
		var temporary net.Error
		switch {
		case err == nil:
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		case errors.As(err, &temporary) && temporary.Temporary(): // such as no descriptor left
			time.Sleep(5 * time.Millisecond)
		default:
			return err
		}
	}
}
