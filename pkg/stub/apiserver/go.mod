module k8s.io/apiserver

go 1.24

require k8s.io/component-base v0.31.10
