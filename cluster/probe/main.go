// Command probe is what a node needs an image for before it has any: the sandbox of each pod, a server that
// answers, and a client to run inside a pod.
//
//	probe                       sleep until told to end, and bury children, as Kubernetes' pause does
//	probe serve ADDRESS         answer GET with the host's name
//	probe get URL …             print what each URL answers
//	probe lookup SERVER NAME    print the addresses that SERVER knows for NAME
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	switch {
	case len(os.Args) == 1:
		pause()
	case len(os.Args) == 3 && os.Args[1] == "serve":
		fail(serve(os.Args[2]))
	case len(os.Args) > 2 && os.Args[1] == "get":
		for _, url := range os.Args[2:] {
			fail(get(url))
		}
	case len(os.Args) == 4 && os.Args[1] == "lookup":
		fail(lookup(os.Args[2], os.Args[3]))
	default:
		fail(fmt.Errorf("usage: probe [serve ADDRESS | get URL … | lookup SERVER NAME]"))
	}
}

func pause() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
	}
}

func serve(address string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(0)
	}()
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, name)
	}))
}

func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func lookup(server, name string) error {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(server, "53"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	addresses, err := (&net.Resolver{PreferGo: true, Dial: dial}).LookupHost(ctx, name)
	for _, address := range addresses {
		fmt.Println(address)
	}
	return err
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
