-- migrate:up
create table routes (
  id uuid primary key default gen_random_uuid(),
  operator_id uuid not null references operators (id),
  service_date date not null,
  status text not null default 'planned'
    check (status in ('planned', 'started', 'finished', 'cancelled')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (operator_id, service_date)
);

create index routes_service_date on routes (service_date, status);

-- migrate:down
drop table routes;
