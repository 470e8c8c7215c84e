/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package file keeps a store in one file, for a worker outside a cluster.
//
// In addition to the guarantees of package store:
//
//   - Each call is atomic. A write is on the disk when it returns.
//   - The file is locked while it is open. A process that ends, in whatever way,
//     unlocks the file and leaves it in the state of the last write that returned.
//   - Every record has a MAC, whose key is in a file beside the store with the suffix
//     KeySuffix. Only who knows the key can write a record that is accepted, or put one
//     in place of another. Records that the store had before are accepted.
//   - Open reads the whole file and verifies every record. A file that is truncated,
//     altered, empty, of another program or key, or of a newer format is rejected and
//     not modified. A record that is altered later is rejected when it is read.
//   - Open converts a file of the earlier formats 1 and 2, which have no MACs, in one
//     transaction. It does so once: a file without MACs beside a key is rejected,
//     unless it has no records.
//   - The files are created with mode 0600.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// DefaultLockWait is the default of Options.LockWait.
	DefaultLockWait = 2 * time.Second
	// batchDelay is the time for which a write waits for others, to share one
	// transaction.
	batchDelay = 2 * time.Millisecond
)

// Options configure a store. All fields are optional.
type Options struct {
	Limits store.Limits
	// LockWait is the time for which Open waits until another process unlocks the
	// file. Defaults to DefaultLockWait.
	LockWait time.Duration
	// Clock is used for the age of dead letters. Defaults to the real clock.
	Clock clock.PassiveClock
	// Owner identifies the configuration that uses the store. The first owner that
	// opens a store is recorded in it; Open returns an OwnedError to other owners.
	// If Owner is empty, the owner is not checked.
	Owner string
	// Adopt makes Owner the owner of a store that has another owner.
	Adopt bool
}

// OwnedError reports that a store has another owner.
type OwnedError struct {
	Owner string
}

// Error implements error.
func (e *OwnedError) Error() string { return "the store belongs to " + e.Owner }

// Store is a store in a file.
type Store struct {
	db      *bolt.DB
	path    string
	keyFile keyFile
	limits  store.Limits
	clock   clock.PassiveClock
	lost    chan struct{}
}

var _ store.Store = (*Store)(nil)

// Open opens the store at path, and creates it if the file does not exist. Errors
// contain the path. Open returns ErrForeign or ErrDamaged if the file is not a
// valid store, and a LockedError if another process has it open.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.LockWait == 0 {
		o.LockWait = DefaultLockWait
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	s := &Store{path: path, limits: o.Limits.WithDefaults(), clock: o.Clock, lost: make(chan struct{})}
	h, err := s.open(ctx, o.LockWait)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := s.prepare(ctx, h, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.db.Close())
	}
	return s, nil
}

// prepare checks the owner of a store with the header h, converts it to the present format,
// and records o.Owner as the owner.
func (s *Store) prepare(ctx context.Context, h header, o Options) error {
	other := o.Owner != "" && h.Owner != o.Owner
	if other && h.Owner != "" && !o.Adopt {
		return &OwnedError{h.Owner}
	}
	if h.Format != format {
		if err := s.keyFile.create(); err != nil {
			return err
		}
		if err := s.migrate(ctx, h); err != nil {
			return err
		}
	}
	if err := s.keyFile.finish(); err != nil {
		return err
	}
	if !other {
		return nil
	}
	return s.write(ctx, "set owner", func(t tx) error {
		t.header.Owner = o.Owner
		return nil
	})
}

// open locks and verifies the file, which it creates if there is none, and returns its
// header.
func (s *Store) open(ctx context.Context, wait time.Duration) (header, error) {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(s.path); err != nil {
			return header{}, err
		}
	case err != nil:
		return header{}, trimPath(err)
	case info.IsDir():
		return header{}, fmt.Errorf("a directory: %w", store.ErrForeign)
	case !info.Mode().IsRegular():
		return header{}, fmt.Errorf("not a regular file: %w", store.ErrForeign)
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return header{}, trimPath(err)
	}
	if err := lock(ctx, f, wait); err != nil {
		f.Close()
		return header{}, err
	}
	if s.keyFile, err = readKeyFile(s.path); err != nil {
		f.Close()
		return header{}, err
	}
	h, err := check(f, s.keyFile)
	if err != nil {
		f.Close()
		return header{}, err
	}
	s.db, err = openBolt(f, wait)
	return h, err
}

// openBolt opens f, which is locked and verified. The database closes f.
func openBolt(f *os.File, wait time.Duration) (*bolt.DB, error) {
	db, err := bolt.Open(f.Name(), 0o600, &bolt.Options{
		Timeout:        wait,
		PageSize:       pageSize,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		OpenFile:       func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = batchDelay
	return db, nil
}

// create creates an empty store without MACs at path, atomically; Open, which then has it
// locked, converts it. If several processes create
// the same store, one of them succeeds and all return nil.
func create(path string) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return fmt.Errorf("create: %w", trimPath(err))
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	db, err := openBolt(temp, time.Second)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	// Two transactions initialize both meta pages.
	for range 2 {
		if err = db.Update(writeHeader); err != nil {
			break
		}
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create: %w", trimPath(err))
	}
	return syncDir(filepath.Dir(path))
}

// trimPath returns err without its path, which the caller adds.
func trimPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return linkErr.Err
	}
	return err
}

// Lost implements store.Store. The channel is never closed, since no other process
// can take over a locked file.
func (s *Store) Lost() <-chan struct{} { return s.lost }

// Close implements store.Store.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// write runs f in a transaction of its own.
func (s *Store) write(ctx context.Context, op string, f func(t tx) error) error {
	return s.do(ctx, op, func() error { return s.db.Update(s.withHeader(f)) })
}

// batch runs f in a transaction that it may share with concurrent calls. f may run
// more than once.
func (s *Store) batch(ctx context.Context, op string, f func(t tx) error) error {
	return s.do(ctx, op, func() error { return s.db.Batch(s.withHeader(f)) })
}

// read runs f in a read-only transaction.
func (s *Store) read(ctx context.Context, op string, f func(t tx) error) error {
	return s.do(ctx, op, func() error {
		return s.db.View(func(t *bolt.Tx) error { return f(tx{t.Bucket([]byte(bucketName)), nil, s.keyFile.key}) })
	})
}

// do runs f, and adds the path and op to its error. If the file is damaged while
// it is open, bbolt panics or accesses invalid memory; do returns ErrDamaged.
func (s *Store) do(ctx context.Context, op string, f func() error) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store %s: %s: %w", s.path, op, err)
	}
	_, err := panicerr.Call(func() (struct{}, error) { return struct{}{}, f() })
	switch panicked := (*panicerr.Error)(nil); {
	case errors.As(err, &panicked):
		return fmt.Errorf("store %s: %s: %w: %w", s.path, op, store.ErrDamaged, err)
	case err != nil:
		return fmt.Errorf("store %s: %s: %w", s.path, op, err)
	}
	return nil
}
