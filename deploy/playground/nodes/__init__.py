"""The playground's one node: what a kubelet, the workload controllers, the endpoints controller and kube-proxy do, in small.

It speaks to the API over HTTP only, and runs the containers of pods as processes of this machine, each pod on a loopback
address of its own. There are no namespaces and no images: a path that a container has mounted is replaced by the pod's folder
in its command and environment, `0.0.0.0` by the pod's address, an image by a `programs.Program`. Left out on purpose: limits of
CPU and memory, users and capabilities, network policies, init containers, restart policies other than Always, ReplicaSets.
"""
