// check FOLDER: Go's own note and tlog packages on the samples; altered ones must be refused.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(ok bool, what string) {
	if !ok {
		fmt.Println("not so:", what)
		os.Exit(1)
	}
}

func head(data []byte, v note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(data, note.VerifierList(v))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(n.Text, "\n")
	var size int64
	fmt.Sscan(lines[1], &size)
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func main() {
	read := func(name string) []byte {
		data, err := os.ReadFile(os.Args[1] + "/" + name)
		must(err == nil, name)
		return data
	}
	v, err := note.NewVerifier(strings.Split(string(read("keys")), "\n")[1])
	must(err == nil, "the key")
	now, err := head(read("head"), v)
	must(err == nil && now.N == 1000, "the head")
	old, err := head(read("old"), v)
	must(err == nil, "the old head")
	_, err = head(bytes.Replace(read("head"), []byte("\n1000\n"), []byte("\n1001\n"), 1), v)
	must(err != nil, "an altered head is refused")
	hashes := func(name string) (list []tlog.Hash) {
		for _, line := range strings.Split(strings.SplitN(string(read(name)), "\n\n", 2)[0], "\n") {
			if h, err := tlog.ParseHash(line); err == nil {
				list = append(list, h)
			}
		}
		return
	}
	entry := []byte(`{"at":"2026-11-23T10:05:21.000000Z","kind":"release","n":321}`)
	leaf := tlog.RecordHash(entry)
	must(tlog.CheckRecord(hashes("proof"), now.N, now.Hash, 321, leaf) == nil, "inclusion")
	must(tlog.CheckRecord(hashes("proof"), now.N, now.Hash, 320, leaf) != nil, "a wrong place is refused")
	entry[3] ^= 1
	must(tlog.CheckRecord(hashes("proof"), now.N, now.Hash, 321, tlog.RecordHash(entry)) != nil, "an altered entry is refused")
	must(tlog.CheckTree(hashes("growth"), now.N, now.Hash, old.N, old.Hash) == nil, "consistency")
	old.Hash[0] ^= 1
	must(tlog.CheckTree(hashes("growth"), now.N, now.Hash, old.N, old.Hash) != nil, "another old head is refused")
	fmt.Println("Go agrees")
}
