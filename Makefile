# Needs Go, make and git; a C compiler adds the race detector to `make test`, and a C++ compiler Vale to `make lint`.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
IMAGE   ?= kube-trigger:$(VERSION)
GOARCH  ?= $(shell go env GOARCH)

GOLANGCI_LINT  := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
MISSPELL       := go run github.com/golangci/misspell/cmd/misspell@v0.8.0
VALE           := env CGO_ENABLED=1 go run github.com/vale-cli/vale/v3/cmd/vale@v3.22.0
CONTROLLER_GEN := go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.20.1
GOTESTSUM      := go run gotest.tools/gotestsum@v1.13.0 --format pkgname

# Everything is static and compiled once, but for the race detector and Vale, which need
# a C and a C++ compiler.
export CGO_ENABLED := 0
C_COMPILER = $(filter 1,$(shell unset CGO_ENABLED; go env CGO_ENABLED))
CXX_COMPILER = $(if $(C_COMPILER),$(shell command -v "$$(go env CXX)"))
RACE     = $(if $(C_COMPILER),-race)
GO_TEST  = $(if $(RACE),CGO_ENABLED=1) $(GOTESTSUM) -- $(RACE) -shuffle=on
GO_BUILD = go build -ldflags "-s -w -X main.version=$(VERSION)"
# The image trusts what the machine that builds it trusts.
CA_BUNDLE ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | \
		while IFS='	' read -r target text; do printf '  make %-14s %s\n' "$$target" "$$text"; done

.PHONY: build
build: ## Build bin/kube-trigger, a static binary
	$(GO_BUILD) -o bin/kube-trigger ./cmd/kube-trigger

.PHONY: test
test: testbed ## Run all tests, on a real API server
	@$(if $(RACE),,echo 'make: no C compiler (go env CC): testing without the race detector')
	cd test/controlplane && $(GO_TEST) ./...
	$(GO_TEST) -timeout 20m ./...

.PHONY: e2e
e2e: testbed ## Run the tests that need KubeVela, built once (6 minutes), as root a node, or the machine
	$(GO_TEST) -timeout 30m -tags kubevela ./definitions ./test/vela ./test/node
	$(GO_TEST) -timeout 30m -tags kubevela -run '^TestGateway$$' ./pkg/app
	$(GO_TEST) -timeout 30m -tags hostile ./test/hostile

.PHONY: e2e-lines
e2e-lines: testbed ## Run the tests of ./test/vela with the KubeVela of KUBEVELA_CORE, KUBEVELA_CLI and KUBEVELA_CHART
	@test -n "$(KUBEVELA_CORE)" && test -n "$(KUBEVELA_CLI)" && test -n "$(KUBEVELA_CHART)" || \
		{ echo 'make: set KUBEVELA_CORE and KUBEVELA_CLI to the binaries of a KubeVela, and KUBEVELA_CHART to its chart vela-core' >&2; exit 1; }
	KUBEVELA_CORE="$(abspath $(KUBEVELA_CORE))" KUBEVELA_CLI="$(abspath $(KUBEVELA_CLI))" KUBEVELA_CHART="$(abspath $(KUBEVELA_CHART))" \
		$(GO_TEST) -timeout 30m -count=1 -tags kubevela ./test/vela

.PHONY: node-tools
node-tools: ## Install what test/node needs to run pods; as root, on Debian
	apt-get update -qq </dev/null
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		buildah containerd containernetworking-plugins iproute2 runc </dev/null

CHAOS_SEED ?= 1
.PHONY: chaos
chaos: testbed ## Break things at length; the figures go into docs/reliability.md
	go test -count=1 -timeout 60m -parallel 6 -v ./test/chaos -long -seed $(CHAOS_SEED) -report ../../docs/reliability.md

.PHONY: hostile
hostile: testbed ## Attack an installation at length; the figures go into docs/security.md
	KUBE_TRIGGER_TEST_NAMES=1500000 go test -count=1 -timeout 60m -v -run '^TestFieldNames_Memory$$' ./actions
	go test -count=1 -timeout 60m -v -tags hostile ./test/hostile -long -report ../../docs/security.md

FUZZTIME   ?= 60s
FUZZ_FLAGS ?=
.PHONY: fuzz
fuzz: ## Run all fuzz targets for FUZZTIME together; FUZZ_FLAGS=-keep keeps inputs that reach new code
	go run ./test/fuzz -time $(FUZZTIME) $(FUZZ_FLAGS)

.PHONY: demo
demo: testbed ## See a ConfigMap's edit give an Application a new revision
	go run ./test/demo

.PHONY: bench
bench: testbed ## Measure against a hand-written controller; BENCH_FLAGS="-baseline BINARY": against another build
	@go -C test/bench build -o $(CURDIR)/bin/bench . && bin/bench $(BENCH_FLAGS)

.PHONY: cluster
cluster: testbed ## Start a control plane that stays up, with KubeVela's CRDs and ours
	@go -C test/kubevela mod download github.com/oam-dev/kubevela
	@bin/controlplane up -dir .cluster -crds \
		"$$(go -C test/kubevela list -m -f '{{.Dir}}' github.com/oam-dev/kubevela)/charts/vela-core/crds,addon/crds"

.PHONY: cluster-down
cluster-down: bin/controlplane ## End it
	@bin/controlplane down -dir .cluster

.PHONY: testbed
testbed: bin/controlplane ## Build etcd and Kubernetes for tests, once (6 minutes)
	@bin/controlplane build >/dev/null

.PHONY: bin/controlplane
bin/controlplane:
	@go -C test/controlplane build -buildvcs=false -o $(CURDIR)/bin/controlplane .

.PHONY: generate
generate: ## Generate deepcopy functions, CRDs, the addon, docs/reference and docs/schema
	$(CONTROLLER_GEN) object:headerFile=.boilerplate.go.txt paths=./pkg/api/...
	$(CONTROLLER_GEN) crd paths=./pkg/api/... output:crd:artifacts:config=addon/crds
	go run ./addon/generate
	go test ./test/reference -update
	go test ./actions -run '^TestReference$$' -update
	go test ./pkg/kubeschema -run '^TestKubeVela$$' -update
	go test ./cmd/kube-trigger -run '^TestCommands_(Help|Reference|Schema)$$' -update

# What KubeVela reads of addon/.
ADDON_FILES := metadata.yaml README.md NOTES.cue parameter.cue template.cue resources definitions schemas
VELA        ?= $(CURDIR)/bin/vela

# The tag before the commits that `git describe` counts.
ADDON_VERSION = $(shell echo '$(VERSION)' | sed -nE 's/(-[0-9]+-g[0-9a-f]+)?(-dirty)?$$//; /^v[0-9]/p')

.PHONY: addon-package
addon-package: $(if $(filter $(CURDIR)/bin/vela,$(VELA)),bin/vela) ## Package the addon with the index of a registry, into bin/addon
	@rm -rf bin/addon && mkdir -p bin/addon/kube-trigger
	cp -R $(addprefix addon/,$(ADDON_FILES)) bin/addon/kube-trigger
	$(if $(ADDON_VERSION),sed -i.was 's/^version: .*/version: $(ADDON_VERSION)/' bin/addon/kube-trigger/metadata.yaml && rm bin/addon/kube-trigger/metadata.yaml.was)
	cd bin/addon && "$(VELA)" addon package kube-trigger
	@cd bin/addon && { printf 'apiVersion: v1\nentries:\n  kube-trigger:\n  - urls: [%s]\n' *.tgz; \
		sed 's/^/    /' kube-trigger/Chart.yaml; } >index.yaml

.PHONY: bin/vela
bin/vela:
	go -C test/kubevela build -trimpath -ldflags "-s -w" -o $(CURDIR)/bin/vela github.com/oam-dev/kubevela/references/cmd/cli

.PHONY: prose
prose: ## Check spelling and grammar of *.md, which is part of lint; the rules are in .vale
	@$(if $(CXX_COMPILER),,echo 'make: no C++ compiler (go env CXX): not checking the prose of *.md')
	$(if $(CXX_COMPILER),$(VALE) test .vale)
	$(if $(CXX_COMPILER),git ls-files '*.md' | xargs $(VALE) --output=line)

.PHONY: lint
lint: prose ## Check style, prose and the walls between packages
	git ls-files '*.md' '*.yaml' | xargs $(MISSPELL) -error -locale US
	$(GOLANGCI_LINT) run
	cd test/controlplane && $(GOLANGCI_LINT) run --config ../../.golangci.yaml
	cd test/bench && $(GOLANGCI_LINT) run --config ../../.golangci.yaml

.PHONY: image
image: ## Build a container image with buildah or docker
	@test -n "$(CA_BUNDLE)" || { echo 'make: no CA certificates found; set CA_BUNDLE to a PEM file' >&2; exit 1; }
	@rm -rf bin/image && mkdir -p bin/image
	GOOS=linux GOARCH=$(GOARCH) $(GO_BUILD) -o bin/image/kube-trigger ./cmd/kube-trigger
	cp "$(CA_BUNDLE)" bin/image/ca-certificates.crt
	if command -v buildah >/dev/null; then set -- buildah build; else set -- docker build; fi; \
		"$$@" --platform linux/$(GOARCH) --tag $(IMAGE) --file Dockerfile bin/image

.PHONY: clean
clean: cluster-down ## Remove what make built here; built control planes stay cached
	rm -rf bin
