"""What operators watch: the list of metrics and the dashboards, written from code.

`python -m monitoring` writes docs/metrics.md and deploy/monitoring/dashboards anew.
"""
