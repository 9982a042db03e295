-- migrate:up
create table activity_results (
  id uuid primary key default gen_random_uuid(),
  activity_id uuid not null unique references activities (id) on delete cascade,
  operator_id uuid not null references operators (id),
  outcome text not null check (outcome in ('done', 'failed', 'refused', 'absent')),
  note text check (char_length(note) <= 2000),
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
  recorded_at timestamptz not null default now()
);

create index activity_results_operator on activity_results (operator_id, recorded_at);

-- migrate:down
drop table activity_results;
