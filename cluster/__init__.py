"""A real Kubernetes for tests and for trying things out, on one machine, from nothing but Go and Python.

``python -m cluster up`` starts one and prints where it is; the tests in ``tests/cluster`` start their own. It
is a control plane: etcd, kube-apiserver and kube-controller-manager with certificates of their own, on
loopback, in a folder of their own, as whoever starts it. Nothing of it stays when it goes down.

    versions       what is built
    binaries       where the programs are: given, cached, or built now
    build          the Go build
    certificates   who is who in the cluster
    processes      children with logs, that never outlive their owner unseen
    control_plane  what is started, with which flags, in which order
    kubeconfig     reading and writing the files that clients use
    api            a small client
    by_hand        the cluster of `make cluster-up`
"""
