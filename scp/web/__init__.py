"""The page: upload and report, worklist, reader feedback, and the node's HTTP interfaces."""
