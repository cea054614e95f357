"""What can be learnt, a kind a file: targets, loss, prediction and metric. The loop knows none."""
