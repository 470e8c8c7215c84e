# Built by `make image`, which puts a static binary and the CA certificates of
# the machine that builds into the context folder, bin/image. There is no build
# stage: the binary is the one that was tested, and no base image is needed.
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY kube-trigger /kube-trigger
# A number, so that a cluster can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/kube-trigger"]
