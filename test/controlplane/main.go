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

// Command controlplane builds and runs a Kubernetes control plane for tests and
// demos.
//
//	controlplane build                 build the programs and print their paths
//	controlplane build-node            build the programs of a node and print their paths
//	controlplane serve                 run a control plane while stdin is open; see Request
//	controlplane up -dir DIR -crds …   run a control plane in the background
//	controlplane down -dir DIR         end it
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"controlplane/internal/binaries"
)

//go:embed go.mod
var goMod []byte

//go:embed go.sum
var goSum []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	// The clean-up must complete even if the reader of the output has ended.
	signal.Ignore(syscall.SIGPIPE)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "controlplane: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("no command: must be build, build-node, serve, up or down")
	}
	switch command, args := args[0], args[1:]; command {
	case "build":
		set, err := ensure(ctx, os.Stderr)
		if err == nil {
			_, err = fmt.Fprintf(os.Stdout, "%s\n%s\n%s\n", set.Etcd, set.APIServer, set.ControllerManager)
		}
		return err
	case "build-node":
		node, err := binaries.EnsureNode(ctx, module(), os.Stderr)
		if err == nil {
			_, err = fmt.Fprintf(os.Stdout, "%s\n%s\n", node.Scheduler, node.Kubelet)
		}
		return err
	case "serve":
		return serve(ctx, args, os.Stdin, os.Stdout)
	case "up":
		return up(ctx, args, os.Stdout)
	case "supervise":
		return supervise(ctx, args)
	case "down":
		return down(ctx, args, os.Stdout)
	default:
		return fmt.Errorf("unknown command %q: must be build, build-node, serve, up or down", command)
	}
}

func ensure(ctx context.Context, progress io.Writer) (binaries.Set, error) {
	return binaries.Ensure(ctx, module(), progress)
}

func module() binaries.Module { return binaries.Module{Mod: goMod, Sum: goSum} }
