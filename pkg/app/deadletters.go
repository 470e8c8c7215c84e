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

package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/store/socket"
)

// DeadLetters are the dead letters of one store. The caller closes them.
type DeadLetters struct {
	store.DeadLetterAdmin

	close func() error
}

// Close releases the store.
func (d *DeadLetters) Close() error { return d.close() }

// OpenDeadLetters opens the dead letters of a store: those of a TriggerService in
// the cluster, those of a file through the process that has it open, or those of
// a file that no process has open.
func OpenDeadLetters(ctx context.Context, o StoreOptions) (*DeadLetters, error) {
	if o.TriggerService != "" {
		return o.openServiceDeadLetters()
	}
	path, err := o.storeFile()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no store at %s: kube-trigger has not run with it", path)
	}
	client, dialErr := socket.Dial(ctx, socketPath(path))
	if dialErr == nil {
		return &DeadLetters{client, client.Close}, nil
	}
	s, err := file.Open(ctx, path, file.Options{})
	if locked := (*file.LockedError)(nil); errors.As(err, &locked) {
		return nil, fmt.Errorf("%w, and does not answer: %w", err, dialErr)
	}
	if err != nil {
		return nil, err
	}
	return &DeadLetters{s.DeadLetters(), s.Close}, nil
}

func (o StoreOptions) openServiceDeadLetters() (*DeadLetters, error) {
	name, err := o.serviceName()
	if err != nil {
		return nil, err
	}
	cfg, _, err := o.restConfig()
	if err != nil {
		return nil, err
	}
	d, err := cluster.OpenDeadLetters(cluster.Options{Client: cluster.ClientOptions{Config: cfg}, Namespace: name.Namespace, Owner: name.Name})
	if err != nil {
		return nil, err
	}
	return &DeadLetters{d, func() error { return nil }}, nil
}

// storeFile returns the path of the store file that Run opens with the same
// options.
func (o StoreOptions) storeFile() (string, error) {
	switch o.Store {
	case StoreNone:
		return "", InvalidError{errors.New("--store none: nothing is kept without a store")}
	case StoreAuto:
	default:
		return o.Store, nil
	}
	if o.Config == "" {
		return "", InvalidError{errors.New("no store; name the file with --store, the configuration with --config (-c), or the TriggerService with --trigger-service")}
	}
	cfg, _, err := o.restConfig()
	if err != nil {
		return "", err
	}
	return defaultStorePath(o.Config, cfg.Host)
}
