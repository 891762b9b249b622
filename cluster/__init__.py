"""A real Kubernetes for tests and for trying things out, on one machine, from nothing but Go and Python.

``python -m cluster up`` starts one and prints where it is; the tests in ``tests/cluster`` start their own.
docs/cluster-tests.md says how to use it.

    by_hand        the cluster of `make cluster-up`
    lifecycle      a whole cluster: start, stop, remove, and clearing away what a killed owner left
    control_plane  etcd, kube-apiserver, kube-controller-manager: which flags, in which order
    node           containerd, kubelet, kube-proxy, CoreDNS
    leftovers      what those leave on a machine
    place          a network of its own for a cluster with a node
    cgroups        the control group of its containers
    processes      children with logs, known by anybody who has the folder
    certificates   who is who in the cluster
    volumes        what claims are given
    machine        what a node needs of the machine
    binaries       where the programs are: given, cached, or built now
    build          the Go build
    images         those of flora's components: what they are made of, and where they are
    wheel          what each of them installs
    buildah        building them
    loading        giving them to a node
    archives       images of one program, without a builder
    versions       what is built; its sources are in kube/, dns/, probe/, helm/ and kubectl/
    kubeconfig     reading and writing the files that clients use
    api, execute   a small client
"""
