"""What commands use that stand alone: the search for faulty nodes, rails and cables, curves of bandwidth and
their pictures, a release against what its vendors serve.

May import the laws, the judge, the planner of fabrics, and what is below. Only the command line imports it: no stage of
a cluster's life needs it.
"""
