-- migrate:up
-- The search path is the tenant's schema alone, so names need no schema.
create table commerces (
  id uuid primary key default gen_random_uuid(),
  name text not null check (char_length(name) between 1 and 200),
  external_code text unique check (char_length(external_code) between 1 and 100),
  address text not null check (address <> ''),
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint commerces_position_is_whole check ((latitude is null) = (longitude is null))
);

create index commerces_name on commerces (lower(name));

-- migrate:down
drop table commerces;
