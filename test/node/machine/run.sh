# Runs a node in namespaces of its own until stdin ends, and removes what it
# leaves: `sh run.sh DIR NAME SCHEDULER KUBELET`. It says the id of the process
# whose network is the node's, then what node.sh says.
sh -c 'echo $$; exec unshare --net --mount --pid --fork --mount-proc sh "$1/node.sh" "$@"' sh "$@"
for at in /sys/fs/cgroup /sys/fs/cgroup/*; do
	[ ! -d "$at/$2" ] || find "$at/$2" -depth -type d -exec rmdir {} +
done
rm -rf "$1"
