module github.com/oam-dev/cluster-gateway

go 1.24

require k8s.io/apimachinery v0.31.10
