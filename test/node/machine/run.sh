# Runs a node in its own namespaces until stdin is closed. Then it removes the
# node's cgroups and DIR. Usage: `sh run.sh DIR NAME SCHEDULER KUBELET`.
# Prints the id of a process in the node's network namespace, then the output of
# node.sh.
sh -c 'echo $$; exec unshare --net --mount --pid --fork --mount-proc sh "$1/node.sh" "$@"' sh "$@"
for cgroup in /sys/fs/cgroup /sys/fs/cgroup/*; do
	[ ! -d "$cgroup/$2" ] || find "$cgroup/$2" -depth -type d -exec rmdir {} +
done
rm -rf "$1"
