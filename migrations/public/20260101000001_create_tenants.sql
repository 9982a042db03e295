-- migrate:up
-- 'owner' says who declares the tenant (organization/project/stack::name): a second owner of a slug
-- is a conflict, the same owner goes on with its own earlier work. A tenant that was released, or that
-- was made by hand, has none, and may be adopted. 'generation' is the newest declaration that the tenant
-- was brought to, where its owner counts them: an engine run of an older one changes nothing any more.
-- 'archive_digest' is the SHA-256 of the manifest of the archive whose rows it was made with, null for others.
create table public.tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null
    constraint tenants_name_is_printable check (
      char_length(name) between 1 and 200 and name = btrim(name) and name !~ '[[:cntrl:]]'
    ),
  slug text not null
    constraint tenants_slug_is_a_slug check (
      char_length(slug) between 3 and 63 and slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'
    ),
  status text not null default 'provisioning'
    constraint tenants_status_is_known check (status in ('provisioning', 'active', 'suspended', 'deleted')),
  owner text
    constraint tenants_owner_is_set check (owner <> ''),
  generation bigint not null default 0,
  archive_digest text
    constraint tenants_archive_digest_is_sha256 check (archive_digest ~ '^[0-9a-f]{64}$'),
  suspended_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- A deleted tenant keeps its slug, for its restore, and is in nobody's way.
create unique index tenants_slug_key on public.tenants (slug) where status <> 'deleted';

-- A tenant that is declared again without an id is found by its slug.
create index tenants_deleted_slug on public.tenants (slug) where status = 'deleted';

-- Lists: each order that they can have, status by status, so that any page is read from its place on. The
-- collation "C" is the same on every server, and lets the search for a beginning use the index too.
create index tenants_by_age on public.tenants (status, created_at, id);
create index tenants_by_name on public.tenants (status, lower(name) collate "C", id);
create index tenants_by_slug on public.tenants (status, slug collate "C", id);

-- migrate:down
drop table public.tenants;
