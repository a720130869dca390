"""Attempts to get out of the workbench, by what they are after; none may have an answer."""

from __future__ import annotations

FILES = r"""
SELECT * FROM '/etc/passwd'
SELECT * FROM 'data.csv'
SELECT * FROM "C:\Windows\win.ini"
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_csv_auto('/etc/hosts')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob(['/proc/self/environ'])
SELECT * FROM read_json('/etc/passwd')
SELECT * FROM read_ndjson_objects('/etc/passwd')
SELECT * FROM read_parquet('s3://bucket/file.parquet')
SELECT * FROM parquet_metadata('/tmp/x.parquet')
SELECT * FROM parquet_schema('/tmp/x.parquet')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM glob('/*')
SELECT * FROM read_duckdb('/tmp/x.db')
SELECT * FROM seq_scan('/tmp/x')
SELECT * FROM main.read_text('/etc/passwd')
SELECT * FROM system.main.read_text('/etc/passwd')
SELECT * FROM "read_text"('/etc/passwd')
SELECT * FROM ReAd_TeXt('/etc/passwd')
SELECT (SELECT content FROM read_text('/etc/passwd'))
WITH x AS MATERIALIZED (FROM read_text('/etc/passwd')) FROM x
SELECT * FROM sites, LATERAL (SELECT * FROM read_text('/etc/' || sites.name)) t
SELECT * FROM sites WHERE EXISTS (FROM glob('/*'))
SELECT 1 UNION ALL SELECT size FROM read_blob('/etc/passwd')
SELECT * FROM 'https://example.com/data.json'
COPY (SELECT 1) TO '/tmp/out.csv'
COPY sites TO '/tmp/out.csv'
COPY sites FROM '/etc/passwd'
EXPORT DATABASE '/tmp/out'
IMPORT DATABASE '/tmp/out'
"""

ENGINE = r"""
ATTACH '/tmp/other.db'
ATTACH ':memory:' AS other
DETACH memory
INSTALL httpfs
LOAD httpfs
LOAD '/tmp/evil.duckdb_extension'
FORCE INSTALL spatial FROM community
SET enable_external_access = true
SET lock_configuration = false
SET GLOBAL threads = 64
SET VARIABLE x = 1
SET memory_limit = '100GB'
RESET memory_limit
PRAGMA enable_logging
PRAGMA database_list
PRAGMA version
CALL duckdb_settings()
CALL pragma_version()
CHECKPOINT
VACUUM
ANALYZE
USE system
BEGIN
COMMIT
ROLLBACK
PREPARE p AS SELECT 1
EXECUTE p
EXPLAIN ANALYZE SELECT 1
CREATE SECRET s (TYPE s3)
CREATE MACRO m() AS TABLE FROM read_text('/etc/passwd')
CREATE TABLE x AS SELECT 1
CREATE TYPE t AS ENUM ('a')
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
SHOW threads
SELECT * FROM (SHOW TABLES)
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_tables
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_logs
SELECT * FROM pragma_version()
SELECT * FROM pragma_user_agent()
SELECT * FROM pragma_storage_info('sites')
SELECT * FROM which_secret('x', 's3')
SELECT * FROM information_schema.tables
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM sqlite_master
SELECT * FROM memory.main.sites
SELECT * FROM temp.sites
SELECT current_setting('memory_limit')
SELECT current_setting('secret_directory')
SELECT getenv('PATH')
SELECT getenv('LOSANT_API_TOKEN')
SELECT version()
SELECT txid_current()
SELECT getvariable('x')
SELECT nextval('s')
SELECT write_log('x')
SELECT pg_sleep(100)
SELECT sleep_ms(100000)
SELECT json_serialize_plan('SELECT 1')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT json_deserialize_sql('{}')
PRAGMA json_execute_serialized_sql('{}')
SELECT * FROM query('SELECT 1')
SELECT * FROM query('FROM read_text(''/etc/passwd'')')
SELECT * FROM query_table('sites')
SELECT * FROM python_map_function()
SELECT * FROM pandas_scan(1)
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM test_all_types()
SELECT main."getenv"('PATH')
SELECT 'PATH'.getenv()
SELECT $1
SELECT ?
SELECT * FROM sites AT (VERSION => 1)
"""

WRITES = r"""
INSERT INTO sites VALUES (1)
UPDATE sites SET name = 'x'
DELETE FROM sites
TRUNCATE sites
DROP TABLE sites
DROP VIEW sites
ALTER TABLE sites ADD COLUMN x INT
MERGE INTO sites USING assets ON true WHEN MATCHED THEN DELETE
WITH x AS (INSERT INTO sites VALUES (1) RETURNING *) SELECT * FROM x
WITH x AS (UPDATE sites SET name = 'x' RETURNING *) SELECT * FROM x
WITH x AS (DELETE FROM sites RETURNING *) SELECT * FROM x
WITH x AS MATERIALIZED (DELETE FROM sites RETURNING *) SELECT 1
SELECT * FROM (WITH x AS (DELETE FROM sites RETURNING *) FROM x)
SELECT 1; DROP TABLE sites
SELECT 1; SELECT 2
SELECT 1;; DELETE FROM sites
SELECT 1 -- ; \n; DELETE FROM sites
SELECT 1 /* ; */ ; ATTACH 'x'
/* SELECT 1 */ DELETE FROM sites
-- SELECT 1 \n DROP TABLE sites
SELECT 1) AS r(c0); DROP TABLE sites; SELECT (1
SELECT 1) UNION (SELECT 2
SELECT ';' ; SELECT ';'
SELECT $$;$$ ; DROP TABLE sites
"""


def lines(texts: str) -> list[str]:
    """The attempts of a text, one a line; ``\\n`` is a line break within one."""
    return [line.replace("\\n", "\n") for line in texts.strip().splitlines()]


ESCAPES = [*lines(FILES), *lines(ENGINE), *lines(WRITES), "", ";", "-- nothing", "SELECT '\0'"]

BOMBS = [
    "SELECT list_sort(range(1000000000))[1]",
    "SELECT list_transform(range(100000), lambda x: range(100000))",
    "SELECT [x * y FOR x IN range(100000)] FROM range(100000) t(y)",
    "SELECT list_reduce(range(1000000000), lambda a, b: a + b)",
    "SELECT list_aggregate(range(300000000), 'sum')",
    "SELECT list_resize([1], 4000000000)",
    "SELECT list_zip(range(100000000), range(100000000))",
    "SELECT list(range) FROM range(10000000000)",
    "SELECT array_agg(md5(range::VARCHAR)) FROM range(10000000000)",
    "SELECT string_agg(repeat('x', 1000), ',') FROM range(100000000)",
    "SELECT repeat('x', 3000000000)",
    "SELECT repeat(repeat('x', 60000), 60000)",
    "SELECT md5(repeat('y', 4000000000))",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT format('{:>2000000000}', 1)",
    "SELECT printf('%2000000000d', 1)",
    "SELECT hex(repeat('a', 1500000000))",
    "SELECT strip_accents(repeat('é', 300000000))",
    "SELECT json_array(range(500000000))",
    "SELECT to_json(range(100000000))",
    "SELECT histogram(range) FROM range(10000000000)",
    "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3",
    "SELECT count(DISTINCT range) FROM range(100000000000)",
    "SELECT * FROM range(1000000000000) ORDER BY 1 DESC",
    "SELECT a.range FROM range(100000) a, range(100000) b, range(100000) c ORDER BY random()",
    "SELECT count(*) FROM assets a, assets b, assets c, assets d, assets e WHERE a.id < e.id",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r, range(10)) SELECT count(*) FROM r",
    "WITH RECURSIVE r(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM r) SELECT max(len(s)) FROM r",
    "SELECT sum(x) FROM (SELECT unnest(range(r.range)) x FROM range(100000000) r)",
    "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
    "SELECT damerau_levenshtein(repeat('a', 100000), repeat('b', 100000))",
    "SELECT jaro_similarity(repeat('ab', 1000000), repeat('ba', 1000000))",
    "SELECT regexp_matches(repeat('a', 1000000), '(a|aa)+$|(a*)*b')",
    "SELECT regexp_replace(repeat('a', 3000000), '(a?){1000}', 'b', 'g')",
    "SELECT regexp_extract_all(repeat('ab', 50000000), '.')",
    "SELECT regexp_matches('x', repeat('(a{1,1000})', 200))",
    "SELECT 'x' LIKE repeat('%a', 1000000)",
    "SELECT repeat('a', 100000) LIKE repeat('%a', 50000) || 'b'",
    "SELECT factorial(range % 20) FROM range(100000000000) ORDER BY 1",
    "PIVOT (SELECT range AS a FROM range(100000)) ON a USING count(*)",
    "SELECT unnest(range(4000000000))",
    "SELECT * FROM generate_series(1, 10000000000) WHERE generate_series % 9999999999 = 7",
    "SELECT median(random()) FROM range(10000000000)",
    "SELECT row_number() OVER (ORDER BY random()) FROM range(10000000000)",
    "SELECT sum(x) OVER (ORDER BY x ROWS 1000000 PRECEDING) FROM range(1000000000) t(x)",
    "SELECT map_from_entries([(i, i) FOR i IN range(100000000)])",
    "SELECT bar(1, 0, 2, 2000000000)",
    "SELECT rpad('1', 900000000, '1')::BIT",
    "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "SELECT " + " + ".join(["1"] * 20_000),
    "SELECT " + "[" * 5_000 + "]" * 5_000,
    "SELECT " + "abs(" * 5_000 + "1" + ")" * 5_000,
    "SELECT " + "(SELECT " * 450 + "1" + ")" * 450,
    "SELECT " + "CASE WHEN true THEN " * 3_000 + "1" + " END" * 3_000,
    "SELECT " + "NOT " * 50_000 + "true",
    "SELECT * FROM " + "(SELECT * FROM " * 400 + "sites" + ")" * 400,
    "SELECT 1" + " UNION ALL SELECT 1" * 5_000,
    "SELECT '" + "x" * 200_000 + "'",
    "WITH " + ", ".join(f"c{i} AS (SELECT * FROM c{i - 1}, c{i - 1} x)" for i in range(1, 40))
    .replace("c0, c0 x", "sites")
    + " SELECT count(*) FROM c39",
    "SELECT 1" + "0" * 90_000 + "::HUGEINT",
    "SELECT x.* FROM " + ", ".join(f"sites s{i}" for i in range(300)) + ", sites x LIMIT 1",
]  # fmt: skip
