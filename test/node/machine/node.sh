# Runs a node as the first process of its PID namespace. It ends when stdin is
# closed. Then all processes in the namespace, the mounts and the network end, too.
set -eu
dir=$1 name=$2 scheduler=$3 kubelet=$4

# Pods reach the API server at 10.96.0.1. cni0 is the bridge of the pods. It has a
# fixed MAC address: otherwise its address changes with the interfaces of the pods.
ip link set lo up
ip address add 10.96.0.1/32 dev lo
ip link add cni0 address 02:00:00:00:00:01 type bridge
ip address add 10.244.0.1/16 dev cni0
ip link set cni0 up
echo network

# Programs of a node write to these folders regardless of their configuration.
for folder in /run /var/lib /var/log; do
	mkdir -p "$dir/host$folder"
	mount --bind "$dir/host$folder" "$folder"
done
# The kubelet sets these kernel parameters, which the machine shares: it gets copies.
for parameter in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	mkdir -p "$dir/sys/${parameter%/*}"
	cat "/proc/sys/$parameter" >"$dir/sys/$parameter"
	mount --bind "$dir/sys/$parameter" "/proc/sys/$parameter"
done
for cgroup in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if [ -e "$cgroup/cgroup.procs" ] && mountpoint -q "$cgroup"; then mkdir "$cgroup/$name"; fi
done

mkdir -p /run/cni
cp "$dir/bridge.conflist" /run/cni/
containerd --config "$dir/containerd.toml" >"$dir/containerd.log" 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done
echo containerd

"$scheduler" --kubeconfig "$dir/kubeconfig" --leader-elect=false --secure-port=0 >"$dir/kube-scheduler.log" 2>&1 &
"$kubelet" --kubeconfig "$dir/kubeconfig" --config "$dir/kubelet.yaml" --cgroup-root "/$name" \
	--hostname-override node --node-ip 10.244.0.1 >"$dir/kubelet.log" 2>&1 &
cat >/dev/null
