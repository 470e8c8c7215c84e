module sigs.k8s.io/apiserver-runtime

go 1.24
