"""The capacity review: what was used, what will be, when it is full, and how good the last forecast was.

Pure: samples and limits in, forecasts and a page out. NumPy is imported by the functions that need it, so
that a DAG file which names this package stays cheap to parse.
"""
