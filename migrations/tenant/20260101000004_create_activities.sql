-- migrate:up
create table activities (
  id uuid primary key default gen_random_uuid(),
  commerce_id uuid not null references commerces (id),
  route_id uuid references routes (id) on delete set null,
  position integer check (position > 0),
  kind text not null check (kind in ('delivery', 'pickup', 'visit', 'repair')),
  due_from timestamptz not null,
  due_until timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint activities_window_is_forward check (due_from < due_until),
  unique (route_id, position)
);

create index activities_commerce on activities (commerce_id, due_from);
create index activities_unrouted on activities (due_from) where route_id is null;

-- migrate:down
drop table activities;
