# The first process of a node, in namespaces of its own: when it ends, so do all
# others, and mounts and network are gone. It ends when stdin does.
set -eu
dir=$1 name=$2 scheduler=$3 kubelet=$4

# Pods know the API server by the first address; the bridge is theirs. It has an
# address to keep, or it would take one of what is joined to it, and another later.
ip link set lo up
ip address add 10.96.0.1/32 dev lo
ip link add cni0 address 02:00:00:00:00:01 type bridge
ip address add 10.244.0.1/16 dev cni0
ip link set cni0 up
echo network

# The parts of a node keep their files at these places, whatever they are told.
for at in /run /var/lib /var/log; do
	mkdir -p "$dir/host$at"
	mount --bind "$dir/host$at" "$at"
done
# Kernel parameters are the machine's: kubelet gets copies to set.
for at in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	mkdir -p "$dir/sys/${at%/*}"
	cat "/proc/sys/$at" >"$dir/sys/$at"
	mount --bind "$dir/sys/$at" "/proc/sys/$at"
done
for at in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if [ -e "$at/cgroup.procs" ] && mountpoint -q "$at"; then mkdir "$at/$name"; fi
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
