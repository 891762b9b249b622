"""HTTP for scripts, through the supervisor: the only way out of an isolate that is not Discord's.

``address``      which addresses may be dialled (pure)
``target``       URLs, read strictly, and where a redirect leads (pure)
``placeholders`` secrets: a placeholder becomes its value on the way out, and the reverse (pure)
``resolver``     names to checked addresses, once
``body``         a response's bytes, inflated within a limit
``client``       one fetch, redirects included
``attachments``  files given by URL, fetched before their call goes up
``service``      who may fetch how often; the pod's face of all this
"""
