-- migrate:up
-- 'owner' says who declares the tenant (organization/project/stack::name): a second owner of a slug
-- is a conflict, the same owner goes on with its own earlier work.
create table public.tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null
    constraint tenants_name_is_printable check (
      char_length(name) between 1 and 200 and name = btrim(name) and name !~ '[[:cntrl:]]'
    ),
  slug text not null
    constraint tenants_slug_key unique
    constraint tenants_slug_is_a_slug check (
      char_length(slug) between 3 and 63 and slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'
    ),
  status text not null default 'provisioning'
    constraint tenants_status_is_known check (status in ('provisioning', 'active', 'deleted')),
  owner text not null
    constraint tenants_owner_is_set check (owner <> ''),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index tenants_newest_first on public.tenants (created_at desc, id);

-- migrate:down
drop table public.tenants;
