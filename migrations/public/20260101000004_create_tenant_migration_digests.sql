-- migrate:up
-- What each applied file of a tenant's migrations was, SHA-256 in hex. dbmate records versions only.
create table public.tenant_migration_digests (
  schema_name text not null,
  file text not null,
  digest text not null
    constraint tenant_migration_digests_is_sha256 check (digest ~ '^[0-9a-f]{64}$'),
  primary key (schema_name, file)
);

-- migrate:down
drop table public.tenant_migration_digests;
