"""DuckDB on one thread: requests and bytes sent, per client and host.

usage: duckdb_pairs.py squid|envoy LOG
"""

import sys

import duckdb

SQUID = """
    select split_part(client, ':', 1) as client,
           regexp_extract(url, '^(?:[a-z]+://)?([^/:]+)', 1) as host,
           try_cast(substr(up, 4) as bigint) as sent
    from read_csv($path, delim=' ', header=false, quote='', escape='', auto_detect=false,
                  columns={'time': 'varchar', 'lasted': 'varchar', 'client': 'varchar',
                           'result': 'varchar', 'up': 'varchar', 'down': 'varchar',
                           'method': 'varchar', 'url': 'varchar', 'server': 'varchar',
                           'way': 'varchar', 'user': 'varchar', 'sni': 'varchar',
                           'bump': 'varchar', 'agent': 'varchar'})
"""
ENVOY = """
    select split_part(downstream_direct_remote_address, ':', 1) as client,
           split_part(authority, ':', 1) as host,
           bytes_received as sent
    from read_json($path, format='newline_delimited',
                   columns={'downstream_direct_remote_address': 'varchar',
                            'authority': 'varchar', 'bytes_received': 'bigint'})
"""
PAIRS = """
    select count(*), sum(requests), sum(sent)
    from (select client, host, count(*) as requests, sum(sent) as sent from ({}) group by all)
"""

if __name__ == "__main__":
    kind, path = sys.argv[1:]
    database = duckdb.connect()
    database.execute("set threads = 1")
    rows = {"squid": SQUID, "envoy": ENVOY}[kind]
    print(database.execute(PAIRS.format(rows), {"path": path}).fetchall())
