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
	// saveInterval is how far the store may be behind what is done, and saveAt how
	// many changes are not waited with.
	saveInterval = 50 * time.Millisecond
	saveBatch    = 1000
	// saveGrace is how long a store that fails is tried at the end.
	saveGrace = 5 * time.Second
	// replayInterval is how often the store is asked for replays.
	replayInterval = 5 * time.Second
	// secretKeySize is the size of the key for hashes of Secrets, in bytes.
	secretKeySize = 32
)

// stores is what a run leaves for the next one. The zero value leaves nothing.
type stores struct {
	store     store.Store
	saver     *store.Saver
	secretKey []byte
	// crashes is nil where nothing outlives the process but the store.
	crashes *crashguard.Tracker
	// listener is where other processes of this user reach the dead letters of a
	// file; nil where they need not, or cannot. Each replay that they ask for is
	// in asked.
	listener        net.Listener
	replayRequested chan struct{}
}

// openStore opens the store that the flags name, for the configuration on the API
// server.
func (o *options) openStore(ctx context.Context, server string) (stores, error) {
	log := logr.FromContextOrDiscard(ctx)
	path := o.Store
	switch path {
	case storeNone, "":
		log.Info("no store: a restart goes on from now")
		return stores{}, nil
	case storeAuto:
		var err error
		if path, err = o.defaultStorePath(server); err != nil {
			log.Info("no store: a restart goes on from now", "reason", err.Error())
			return stores{}, nil
		}
	}
	owner, err := filepath.Abs(o.Config)
	if err != nil {
		return stores{}, err
	}
	s, err := file.Open(ctx, path, file.Options{Owner: owner, Adopt: o.AdoptStore})
	if owned := (*file.OwnedError)(nil); errors.As(err, &owned) {
		return stores{}, fmt.Errorf("%w; with --adopt-store it becomes that of %s, and what the other one has not done yet is forgotten", err, owner)
	}
	if err != nil {
		return stores{}, err
	}
	m := stores{store: s, replayRequested: make(chan struct{}, 1)}
	if m.secretKey, err = loadSecretKey(path + ".key"); err != nil {
		return stores{}, errors.Join(err, s.Close())
	}
	if m.crashes, err = crashguard.Open(path + ".evaluations"); err != nil {
		return stores{}, errors.Join(err, s.Close())
	}
	m.saver = store.NewSaver(s, store.SaverOptions{
		MaxDelay: saveInterval, BatchSize: saveBatch, GracePeriod: saveGrace, Clock: clock.RealClock{},
		OnError: o.onStoreError(log),
	})
	if m.listener, err = socket.Listen(ctx, socketPath(path)); err != nil {
		log.Info("`kube-trigger failures` will not reach this process", "reason", err.Error())
	}
	log.Info("store opened", "file", path)
	return m, nil
}

// onStoreError returns what is told of each failure of the store.
func (o *options) onStoreError(log logr.Logger) func(error) {
	return func(err error) {
		log.Error(err, "Store failed; trying again")
		o.server.storeFailed()
	}
}

// socketPath returns where the process that has the store open is reached.
func socketPath(path string) string { return path + ".sock" }

// defaultStorePath returns the file for the configuration on the API server, in a
// folder that can be written.
func (o *options) defaultStorePath(server string) (string, error) {
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
	config, err := filepath.Abs(o.Config)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(config + "\n" + server))
	base := strings.TrimSuffix(filepath.Base(config), filepath.Ext(config))
	return filepath.Join(dir, base+"-"+hex.EncodeToString(sum[:6])+".db"), nil
}

// loadSecretKey reads the key at path, and makes one where there is none.
func loadSecretKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, secretKeySize)
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
	if len(key) != secretKeySize {
		return nil, fmt.Errorf("read key: %s has %d bytes, not %d; without it, kube-trigger makes a new one", path, len(key), secretKeySize)
	}
	return key, nil
}

// configureSources gives the memory to sources.
func (m stores) configureSources(c *clients) {
	if m.store != nil {
		c.crashes = m.crashes
		c.resource.Checkpoints, c.resource.Saver, c.resource.SecretKey = m.store, m.saver, m.secretKey
		c.cron.Checkpoints, c.cron.Saver = m.store, m.saver
		c.velaql.Checkpoints, c.velaql.Saver = m.store, m.saver
		c.webhook.Queue, c.webhook.Checkpoints, c.webhook.Saver = m.store, m.store, m.saver
	}
}

// deadLetters returns what keeps the events that triggers give up; nil for nothing.
func (m stores) deadLetters() store.DeadLetters {
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
func (m stores) prune(ctx context.Context, triggers []engine.Trigger) error {
	if m.store == nil {
		return nil
	}
	names, err := m.store.Watches(ctx)
	if err != nil {
		return fmt.Errorf("forget watches: %w", err)
	}
	stored, used := cachedWatches{m.store, names}, subscriptions(triggers)
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

// cachedWatches are Resumes whose names were listed once for all that ask. In the
// cluster, listing them takes requests.
type cachedWatches struct {
	store.Checkpoints
	names []string
}

func (l cachedWatches) Watches(context.Context) ([]string, error) {
	return l.names, nil
}

// runWith saves while run runs, and what is left when it has ended. It ends run
// when somebody else has taken over the store.
func (m stores) runWith(ctx context.Context, run func(context.Context) error) error {
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
	go func() { ended <- m.serveDeadLetters(saving) }()
	err := run(running)
	stop()
	return errors.Join(err, <-ended, <-ended)
}

// serveDeadLetters lets other processes reach the dead letters until ctx ends.
func (m stores) serveDeadLetters(ctx context.Context) error {
	if m.listener == nil {
		return nil
	}
	return socket.Serve(ctx, m.listener, m.store, func() {
		select {
		case m.replayRequested <- struct{}{}:
		default: // It is known that there is something.
		}
	})
}

func (m stores) close() error {
	if m.store == nil {
		return nil
	}
	if m.listener != nil {
		_ = m.listener.Close() // or it is closed already
	}
	var err error
	if m.crashes != nil {
		err = m.crashes.Close()
	}
	return errors.Join(err, m.store.Close())
}
