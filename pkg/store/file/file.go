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

// Package file keeps a store in one file, for a worker that runs on its own.
//
// Beyond what every store guarantees:
//
//   - Each call is atomic, and on the disk when it returns.
//   - The file is locked while it is open. A process that ends in any way
//     leaves it unlocked, and at the state of the last call that returned.
//   - Opening reads the whole file and checks every record. A file that is
//     truncated, altered, empty, of another program, or of a newer format is
//     refused and not written to.
//   - It is created with mode 0600.
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

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// DefaultLockWait is how long Open waits for another process to let go.
	DefaultLockWait = 2 * time.Second
	// batchDelay is how long an event that is accepted, or a letter, waits for
	// others, to share one write to the disk.
	batchDelay = 2 * time.Millisecond
	// defaultRuns is the length of the history.
	defaultRuns = 1000
)

// Options are how a store is kept. The zero Options are good.
type Options struct {
	Limits store.Limits
	// LockWait is DefaultLockWait where it is 0.
	LockWait time.Duration
	// Clock is what letters age by; the real one where it is nil.
	Clock clock.PassiveClock
	// Owner is whose store it is. The first one that opens it with an Owner is its
	// owner. Empty: whosever it is.
	Owner string
	// Adopt makes Owner the owner of a store that is another's.
	Adopt bool
}

// OwnedError says that a store is another owner's.
type OwnedError struct {
	Owner string
}

// Error implements error.
func (e *OwnedError) Error() string { return "it is the store of " + e.Owner }

// Store is an open file.
type Store struct {
	db     *bolt.DB
	path   string
	limits store.Limits
	clock  clock.PassiveClock
	lost   chan struct{}
}

var _ store.Store = (*Store)(nil)

// Open opens the file at path, and creates it where there is none. The error
// names path: ErrForeign or ErrDamaged where it is not to be touched, LockedError
// where another process has it open.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.LockWait == 0 {
		o.LockWait = DefaultLockWait
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	defaults := store.DefaultLimits()
	defaults.Runs = defaultRuns
	s := &Store{path: path, limits: o.Limits.WithDefaults(defaults), clock: o.Clock, lost: make(chan struct{})}
	if err := s.open(ctx, o.LockWait); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := s.claimOwnership(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.db.Close())
	}
	return s, nil
}

// claimOwnership makes o.Owner the owner, or finds that it is another one.
func (s *Store) claimOwnership(ctx context.Context, o Options) error {
	if o.Owner == "" {
		return nil
	}
	var h header
	err := s.db.View(func(t *bolt.Tx) error {
		return tx{t.Bucket([]byte(bucketName)), nil}.json([]byte{headerKey}, &h)
	})
	switch {
	case err != nil:
		return fmt.Errorf("header: %w", err)
	case h.Owner == o.Owner:
		return nil
	case h.Owner != "" && !o.Adopt:
		return &OwnedError{h.Owner}
	}
	return s.write(ctx, "claim", func(t tx) error {
		t.header.Owner = o.Owner
		return nil
	})
}

func (s *Store) open(ctx context.Context, wait time.Duration) error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(s.path); err != nil {
			return err
		}
	case err != nil:
		return trimPath(err)
	case info.IsDir():
		return fmt.Errorf("a directory: %w", store.ErrForeign)
	case !info.Mode().IsRegular():
		return fmt.Errorf("not a regular file: %w", store.ErrForeign)
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return trimPath(err)
	}
	if err := lock(ctx, f, wait); err != nil {
		f.Close()
		return err
	}
	if err := check(f); err != nil {
		f.Close()
		return err
	}
	s.db, err = openBolt(f, wait)
	return err
}

// openBolt takes over f, which is locked and sound.
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

// create makes a new store at path, in one step: no process ever sees a part
// of it, and of several that create it one does.
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
	// Twice, since each writes one of the two places for the root.
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
	return syncFolder(filepath.Dir(path))
}

// trimPath returns err without the path that it repeats.
func trimPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

// Lost is never closed: nothing takes a locked file over.
func (s *Store) Lost() <-chan struct{} { return s.lost }

// Close implements store.Store.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// write runs f in a transaction of its own.
func (s *Store) write(ctx context.Context, what string, f func(t tx) error) error {
	return s.do(ctx, what, func() error { return s.db.Update(withHeader(f)) })
}

// batch runs f in a transaction that it may share with others. It may run
// twice.
func (s *Store) batch(ctx context.Context, what string, f func(t tx) error) error {
	return s.do(ctx, what, func() error { return s.db.Batch(withHeader(f)) })
}

// read runs f on one state of the store.
func (s *Store) read(ctx context.Context, what string, f func(t tx) error) error {
	return s.do(ctx, what, func() error {
		return s.db.View(func(t *bolt.Tx) error { return f(tx{t.Bucket([]byte(bucketName)), nil}) })
	})
}

// do runs f. A file that breaks beneath an open store shows as a panic or a
// fault of memory, and is an error here.
func (s *Store) do(ctx context.Context, what string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store %s: %s: %w: %v", s.path, what, store.ErrDamaged, p)
		}
	}()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store %s: %s: %w", s.path, what, err)
	}
	if err := f(); err != nil {
		return fmt.Errorf("store %s: %s: %w", s.path, what, err)
	}
	return nil
}
