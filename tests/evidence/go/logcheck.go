// Logcheck reads a published log folder with Go's own transparency log packages and none of our
// code, and says in one line of JSON what it verified.
//
//	logcheck DIR [-witness VKEY]... [-earlier CHECKPOINT]... [-proof ENTRY PROOF]...
//
// It opens the checkpoint with the folder's vkey (note), reads tiles through tlog.TileHashReader,
// which checks every tile against the signed root, and verifies the hash of every entry, the
// inclusion of sampled ones, the consistency with earlier checkpoints, and proofs that we made
// (C2SP tlog-proof). Cosignatures (C2SP tlog-cosignature) are verified by a note.Verifier here.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type report struct {
	Size       int64    `json:"size"`
	Entries    int64    `json:"entries"`
	Included   int      `json:"included"`
	Consistent int      `json:"consistent"`
	Proofs     int      `json:"proofs"`
	Signed     []string `json:"signed"`
	Unknown    int      `json:"unknown"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "logcheck:", err)
		os.Exit(1)
	}
}

func require(holds bool, format string, args ...interface{}) {
	if !holds {
		check(fmt.Errorf(format, args...))
	}
}

// A cosigner verifies the cosignatures of one witness.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}

func newCosigner(vkey string) note.Verifier {
	parts := strings.SplitN(vkey, "+", 3)
	require(len(parts) == 3, "malformed witness key")
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	require(len(key) == 33 && key[0] == 4, "a witness key has type 4 and 32 bytes")
	hash := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	require(fmt.Sprintf("%08x", binary.BigEndian.Uint32(hash[:])) == parts[1], "wrong key id")
	return cosigner{parts[0], binary.BigEndian.Uint32(hash[:]), key[1:]}
}

// Files reads hash tiles as C2SP tlog-tiles names them.
type files struct{ dir string }

func (f files) Height() int                     { return height }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is short", tile.Path())
		}
		all = append(all, data[:tile.W*tlog.HashSize])
	}
	return all, nil
}

// Read gives a file, or the full tile that took the place of a partial one.
func (f files) read(path string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, path))
	if at := strings.Index(path, ".p/"); err != nil && at >= 0 {
		data, err = os.ReadFile(filepath.Join(f.dir, path[:at]))
	}
	return data, err
}

func open(text []byte, origin string, known note.Verifiers) (tlog.Tree, *note.Note) {
	n, err := note.Open(text, known)
	check(err)
	lines := strings.Split(n.Text, "\n")
	require(len(lines) == 4 && lines[3] == "", "a checkpoint has three lines")
	require(lines[0] == origin, "the origin is not the key's name")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}, n
}

// Entries calls visit with every entry of the log.
func entries(f files, size int64, visit func(index int64, entry []byte)) {
	for first := int64(0); first < size; first += 256 {
		width := int(size - first)
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: height, L: 0, N: first / 256, W: width}
		data, err := f.read(strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
		check(err)
		for at := 0; at < width; at++ {
			require(len(data) >= 2, "bundle %d is short", tile.N)
			length := int(binary.BigEndian.Uint16(data))
			require(len(data) >= 2+length, "bundle %d is short", tile.N)
			visit(first+int64(at), data[2:2+length])
			data = data[2+length:]
		}
	}
}

func checkProof(entry, proof []byte, origin string, known note.Verifiers) {
	head, checkpoint, found := bytes.Cut(proof, []byte("\n\n"))
	require(found, "a proof holds a checkpoint")
	lines := strings.Split(string(head), "\n")
	require(lines[0] == "c2sp.org/tlog-proof@v1", "unknown proof")
	var index int64
	_, err := fmt.Sscanf(lines[1], "index %d", &index)
	check(err)
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		path = append(path, hash)
	}
	tree, _ := open(checkpoint, origin, known)
	check(tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry)))
}

func main() {
	require(len(os.Args) > 1, "usage: logcheck DIR [option]...")
	f := files{os.Args[1]}
	vkey, err := f.read("vkey")
	check(err)
	own, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	check(err)
	verifiers := []note.Verifier{own}
	var earlier [][]byte
	var proofs [][2][]byte
	for rest := os.Args[2:]; len(rest) > 0; rest = rest[1:] {
		option := rest[0]
		rest = rest[1:]
		require(len(rest) > 0, "%s needs a value", option)
		switch option {
		case "-witness":
			verifiers = append(verifiers, newCosigner(rest[0]))
		case "-earlier":
			text, err := os.ReadFile(rest[0])
			check(err)
			earlier = append(earlier, text)
		case "-proof":
			require(len(rest) > 1, "-proof needs two files")
			entry, err := os.ReadFile(rest[0])
			check(err)
			proof, err := os.ReadFile(rest[1])
			check(err)
			proofs = append(proofs, [2][]byte{entry, proof})
			rest = rest[1:]
		default:
			require(false, "unknown option %s", option)
		}
	}
	known := note.VerifierList(verifiers...)
	text, err := f.read("checkpoint")
	check(err)
	tree, signed := open(text, own.Name(), known)
	said := report{Size: tree.N, Unknown: len(signed.UnverifiedSigs)}
	for _, signature := range signed.Sigs {
		said.Signed = append(said.Signed, signature.Name)
	}
	if tree.N == 0 {
		require(tree.Hash == tlog.Hash(sha256.Sum256(nil)), "not the root of the empty tree")
	} else {
		reader := tlog.TileHashReader(tree, f)
		root, err := tlog.TreeHash(tree.N, reader)
		check(err)
		require(root == tree.Hash, "the tiles have another root")
		sample := tree.N/97 + 1
		var indexes []int64
		var hashes []tlog.Hash
		entries(f, tree.N, func(index int64, entry []byte) {
			hash := tlog.RecordHash(entry)
			indexes = append(indexes, tlog.StoredHashIndex(0, index))
			hashes = append(hashes, hash)
			if index%sample == 0 || index == tree.N-1 {
				path, err := tlog.ProveRecord(tree.N, index, reader)
				check(err)
				check(tlog.CheckRecord(path, tree.N, tree.Hash, index, hash))
				said.Included++
			}
			if len(indexes) == 256 || index == tree.N-1 {
				stored, err := reader.ReadHashes(indexes)
				check(err)
				for at := range stored {
					require(stored[at] == hashes[at], "entry %d is another one", index)
				}
				said.Entries += int64(len(indexes))
				indexes, hashes = indexes[:0], hashes[:0]
			}
		})
		for _, text := range earlier {
			old, _ := open(text, own.Name(), known)
			if old.N > 0 {
				proof, err := tlog.ProveTree(tree.N, old.N, reader)
				check(err)
				check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
			}
			said.Consistent++
		}
	}
	for _, pair := range proofs {
		checkProof(pair[0], pair[1], own.Name(), known)
		said.Proofs++
	}
	check(json.NewEncoder(os.Stdout).Encode(said))
}
