-- migrate:up
create table dispatch_providers (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (char_length(name) between 1 and 200),
  kind text not null check (kind in ('own_fleet', 'courier', 'marketplace')),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

alter table routes add column dispatch_provider_id uuid references dispatch_providers (id);
create index routes_dispatch_provider on routes (dispatch_provider_id);

-- migrate:down
alter table routes drop column dispatch_provider_id;
drop table dispatch_providers;
