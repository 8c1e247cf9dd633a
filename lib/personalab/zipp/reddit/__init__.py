"""From Reddit's monthly dumps to the graph of users and subreddits (ZIPP 3.1 and E.1).

`dumps` gives lines, `items` posts and comments, `filters` what is kept of them; `mentions` and `scrub` take private things
out of the texts, `privacy` makes keyed hashes of names; `ingest` writes one shard per dump (`shards`), `aggregate` the
tables and the graph.
"""
