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

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/store/socket"
)

// Values of --store that are no file.
const (
	storeAuto = "auto"
	storeNone = "none"
)

// Values of --from.
const (
	fromResume = "resume"
	fromNow    = "now"
)

const (
	// saveEvery is how far the store may be behind what is done, and saveAt how
	// many changes are not waited with.
	saveEvery = 50 * time.Millisecond
	saveAt    = 1000
	// saveGrace is how long a store that fails is tried at the end.
	saveGrace = 5 * time.Second
	// replayEvery is how often the store is asked for replays.
	replayEvery = 5 * time.Second
	// keySize is the size of the key for hashes of Secrets, in bytes.
	keySize = 32
)

// memory is what a run leaves for the next one. The zero value leaves nothing.
type memory struct {
	store store.Store
	saver *store.Saver
	key   []byte
	// box is nil where nothing outlives the process but the store.
	box *crashguard.Box
	// failures is where other processes of this user reach the dead letters of a
	// file; nil where they need not, or cannot. Each replay that they ask for is
	// in asked.
	failures net.Listener
	asked    chan struct{}
}

// remember opens the store that the flags name, for the configuration on the API
// server.
func (o *options) remember(ctx context.Context, server string) (memory, error) {
	log := logr.FromContextOrDiscard(ctx)
	path := o.store
	switch path {
	case storeNone, "":
		log.Info("no store: a restart goes on from now")
		return memory{}, nil
	case storeAuto:
		var err error
		if path, err = o.storePath(server); err != nil {
			log.Info("no store: a restart goes on from now", "reason", err.Error())
			return memory{}, nil
		}
	}
	owner, err := filepath.Abs(o.config)
	if err != nil {
		return memory{}, err
	}
	s, err := file.Open(ctx, path, file.Options{Owner: owner, Adopt: o.adopt})
	if owned := (*file.OwnedError)(nil); errors.As(err, &owned) {
		return memory{}, fmt.Errorf("%w; with --adopt-store it becomes that of %s, and what the other one has not done yet is forgotten", err, owner)
	}
	if err != nil {
		return memory{}, err
	}
	m := memory{store: s, asked: make(chan struct{}, 1)}
	if m.key, err = secretKey(path + ".key"); err != nil {
		return memory{}, errors.Join(err, s.Close())
	}
	if m.box, err = crashguard.Open(path + ".evaluations"); err != nil {
		return memory{}, errors.Join(err, s.Close())
	}
	m.saver = store.NewSaver(s, store.SaverOptions{
		Every: saveEvery, Changes: saveAt, Grace: saveGrace, Clock: clock.RealClock{},
		OnError: o.storeFailed(log),
	})
	if m.failures, err = socket.Listen(ctx, socketOf(path)); err != nil {
		log.Info("`kube-trigger failures` will not reach this process", "reason", err.Error())
	}
	log.Info("store opened", "file", path)
	return m, nil
}

// storeFailed returns what is told of each failure of the store.
func (o *options) storeFailed(log logr.Logger) func(error) {
	return func(err error) {
		log.Error(err, "Store failed; trying again")
		o.shown.storeFailed()
	}
}

// socketOf returns where the process that has the store open is reached.
func socketOf(path string) string { return path + ".sock" }

// storePath returns the file for the configuration on the API server, in a
// folder that can be written.
func (o *options) storePath(server string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(state, "kube-trigger")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return "", err
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return "", err
	}
	config, err := filepath.Abs(o.config)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(config + "\n" + server))
	base := strings.TrimSuffix(filepath.Base(config), filepath.Ext(config))
	return filepath.Join(dir, base+"-"+hex.EncodeToString(sum[:6])+".db"), nil
}

// secretKey reads the key at path, and makes one where there is none.
func secretKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keySize)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("create key: %w", err)
		}
		if err := os.WriteFile(path, key, 0o600); err != nil {
			return nil, fmt.Errorf("create key: %w", err)
		}
		return key, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("read key: %s has %d bytes, not %d; without it, kube-trigger makes a new one", path, len(key), keySize)
	}
	return key, nil
}

// sources gives the memory to sources.
func (m memory) sources(c *connection) {
	if m.store != nil {
		c.box = m.box
		c.resources.Resumes, c.resources.Saver, c.resources.SecretKey = m.store, m.saver, m.key
		c.schedules.Resumes, c.schedules.Saver = m.store, m.saver
		c.views.Resumes, c.views.Saver = m.store, m.saver
		c.webhooks.Spool, c.webhooks.Resumes, c.webhooks.Saver = m.store, m.store, m.saver
	}
}

// letters returns what keeps the events that triggers give up; nil for nothing.
func (m memory) letters() store.Letters {
	if m.store == nil {
		return nil
	}
	return m.store
}

// subscriptions returns those of triggers.
func subscriptions(triggers []engine.Trigger) []source.Subscription {
	var all []source.Subscription
	for _, t := range triggers {
		all = append(all, t.Subscription)
	}
	return all
}

// prune forgets what none of triggers needs.
func (m memory) prune(ctx context.Context, triggers []engine.Trigger) error {
	if m.store == nil {
		return nil
	}
	names, err := m.store.Watches(ctx)
	if err != nil {
		return fmt.Errorf("forget watches: %w", err)
	}
	stored, used := listed{m.store, names}, subscriptions(triggers)
	if err := cron.Prune(ctx, stored, used); err != nil {
		return err
	}
	if err := velaql.Prune(ctx, stored, used); err != nil {
		return err
	}
	if err := webhook.Prune(ctx, stored, m.store, used); err != nil {
		return err
	}
	return resource.Prune(ctx, stored, used)
}

// listed are Resumes whose names were listed once for all that ask. In the
// cluster, listing them takes requests.
type listed struct {
	store.Resumes
	names []string
}

func (l listed) Watches(context.Context) ([]string, error) {
	return l.names, nil
}

// around saves while run runs, and what is left when it has ended. It ends run
// when somebody else has taken over the store.
func (m memory) around(ctx context.Context, run func(context.Context) error) error {
	if m.store == nil {
		return run(ctx)
	}
	running, end := context.WithCancel(ctx)
	defer end()
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 2)
	go func() {
		ended <- m.saver.Run(saving)
		end()
	}()
	go func() { ended <- m.serve(saving) }()
	err := run(running)
	stop()
	return errors.Join(err, <-ended, <-ended)
}

// serve lets other processes reach the dead letters until ctx ends.
func (m memory) serve(ctx context.Context) error {
	if m.failures == nil {
		return nil
	}
	return socket.Serve(ctx, m.failures, m.store, func() {
		select {
		case m.asked <- struct{}{}:
		default: // It is known that there is something.
		}
	})
}

func (m memory) close() error {
	if m.store == nil {
		return nil
	}
	if m.failures != nil {
		_ = m.failures.Close() // or it is closed already
	}
	var err error
	if m.box != nil {
		err = m.box.Close()
	}
	return errors.Join(err, m.store.Close())
}
