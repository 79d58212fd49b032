"""The disaster-recovery drill: fail over, prove it from outside, fail back, measure it.

A strategy (`failover`: promote the standby; `restore`: restore from the repository) has the same steps;
`pair` says what states two servers can be in, and every step starts by looking which one it is.
"""
