"""One handler a task type, and what its calls to models are for."""

# A type that asks no model has no line.
PURPOSES = {"bidding_analysis": "bidding", "workload_analysis": "workload", "cost_estimation": "workload"}
