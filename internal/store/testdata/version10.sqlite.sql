PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(3,2,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(4,3,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(5,4,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(6,5,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(7,6,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(8,7,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(9,8,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(10,9,1,'2026-11-30 02:59:51');
INSERT INTO goose_db_version VALUES(11,10,1,'2026-11-30 02:59:51');
CREATE TABLE environments (
    id         TEXT     NOT NULL PRIMARY KEY,
    owner      TEXT     NOT NULL,
    course     TEXT     NOT NULL,
    profile    TEXT     NOT NULL,
    state      TEXT     NOT NULL,
    phase      TEXT     NOT NULL,
    cluster_id TEXT     NOT NULL,
    live       SMALLINT NOT NULL,
    created_at BIGINT   NOT NULL,
    version    BIGINT   NOT NULL,
    document   TEXT     NOT NULL
);
INSERT INTO environments VALUES('ready1','ann','de-2026','daskhub','ready','ready','ready1',1,1795424400000000,1,'{"ID":"ready1","Owner":"ann","Course":"de-2026","Project":"class-2026","Profile":"daskhub","Recipe":{"name":"daskhub","title":"JupyterHub","description":"","placement":"dedicated","cluster":{"machineType":"","nodes":0,"minNodes":0,"maxNodes":0,"diskGb":0,"diskType":"","spot":false,"locations":null,"channel":"","version":"","dnsEndpoint":false,"idleMinutes":0},"given":"","namespace":"daskhub","releases":[{"name":"dhub","chart":"daskhub","repository":"","version":"2024.1.1","namespace":"","values":{"list":[1,"two"],"memory":1.5,"name":"${owner}","replicas":3},"topLevel":null,"conditions":null,"skipCrds":false,"clusterWide":false,"manifests":""}],"access":{"kind":"","service":"","port":0,"dashboardService":"","dashboardPort":0,"username":"","google":""},"workers":{"kind":"","default":0,"max":0,"selector":"","manifest":""},"packages":false,"tenancy":{"cpu":"","memory":"","storage":"","pods":0,"podSecurity":""},"policy":{"ttl":0,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":null,"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0}},"Spec":{"ttl":14400000000000,"workers":2,"packages":["xarray"]},"Good":{"ttl":0,"workers":1,"packages":null},"Desired":"present","State":"ready","Phase":"ready","Message":"Ready.","PhaseSince":"2026-11-23T09:00:00Z","Failure":null,"ClusterID":"ready1","Namespace":"daskhub","URL":"http://192.0.2.1","DashboardURL":"","Secrets":null,"WorkersHash":"","Inventory":null,"InventoryDone":false,"Uninstalled":false,"Unexposed":false,"CreatedAt":"2026-11-23T09:00:00Z","ReadyAt":"2026-11-23T09:05:00Z","ExpiresAt":"2026-11-23T13:00:00Z","LastActivityAt":"0001-01-01T00:00:00Z","DeletedAt":"0001-01-01T00:00:00Z","Terms":{"policy":{"ttl":0,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":null,"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0},"from":null},"Ending":{"at":"2026-11-23T13:00:00Z","cause":"deadline","lead":1800000000000,"toldAt":"0001-01-01T00:00:00Z"},"EndedBecause":"","KeepUntil":"0001-01-01T00:00:00Z","ClassOver":"0001-01-01T00:00:00Z","CourseEnd":null,"Extensions":0,"Protected":null,"RequestedBy":"ann","Home":"","Generation":2,"ObservedGeneration":2,"Version":0}');
INSERT INTO environments VALUES('gone1','owner-gone1','dask101','daskhub','deleted','gone','',0,1795424400000000,1,'{"ID":"gone1","Owner":"owner-gone1","Course":"dask101","Project":"","Profile":"daskhub","Recipe":{"name":"","title":"","description":"","placement":"","cluster":{"machineType":"","nodes":0,"minNodes":0,"maxNodes":0,"diskGb":0,"diskType":"","spot":false,"locations":null,"channel":"","version":"","dnsEndpoint":false,"idleMinutes":0},"given":"","namespace":"","releases":null,"access":{"kind":"","service":"","port":0,"dashboardService":"","dashboardPort":0,"username":"","google":""},"workers":{"kind":"","default":0,"max":0,"selector":"","manifest":""},"packages":false,"tenancy":{"cpu":"","memory":"","storage":"","pods":0,"podSecurity":""},"policy":{"ttl":0,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":null,"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0}},"Spec":{"ttl":0,"workers":0,"packages":null},"Good":null,"Desired":"absent","State":"deleted","Phase":"gone","Message":"","PhaseSince":"0001-01-01T00:00:00Z","Failure":null,"ClusterID":"","Namespace":"","URL":"","DashboardURL":"","Secrets":null,"WorkersHash":"","Inventory":null,"InventoryDone":false,"Uninstalled":false,"Unexposed":false,"CreatedAt":"2026-11-23T09:00:00Z","ReadyAt":"0001-01-01T00:00:00Z","ExpiresAt":"0001-01-01T00:00:00Z","LastActivityAt":"0001-01-01T00:00:00Z","DeletedAt":"2026-11-23T10:00:00Z","Terms":{"policy":{"ttl":0,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":null,"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0},"from":null},"Ending":null,"EndedBecause":"","KeepUntil":"0001-01-01T00:00:00Z","ClassOver":"0001-01-01T00:00:00Z","CourseEnd":null,"Extensions":0,"Protected":null,"RequestedBy":"","Home":"","Generation":1,"ObservedGeneration":0,"Version":0}');
INSERT INTO environments VALUES('coming1','owner-coming1','dask101','daskhub','pending','queued','',1,1795424400000000,1,'{"ID":"coming1","Owner":"owner-coming1","Course":"dask101","Project":"","Profile":"daskhub","Recipe":{"name":"daskhub","title":"JupyterHub","description":"","placement":"dedicated","cluster":{"machineType":"","nodes":0,"minNodes":0,"maxNodes":0,"diskGb":0,"diskType":"","spot":false,"locations":null,"channel":"","version":"","dnsEndpoint":false,"idleMinutes":0},"given":"","namespace":"daskhub","releases":[{"name":"dhub","chart":"daskhub","repository":"","version":"2024.1.1","namespace":"","values":{"list":[1,"two"],"memory":1.5,"name":"${owner}","replicas":3},"topLevel":null,"conditions":null,"skipCrds":false,"clusterWide":false,"manifests":""}],"access":{"kind":"","service":"","port":0,"dashboardService":"","dashboardPort":0,"username":"","google":""},"workers":{"kind":"","default":0,"max":0,"selector":"","manifest":""},"packages":false,"tenancy":{"cpu":"","memory":"","storage":"","pods":0,"podSecurity":""},"policy":{"ttl":0,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":null,"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0}},"Spec":{"ttl":0,"workers":0,"packages":null},"Good":null,"Desired":"present","State":"pending","Phase":"queued","Message":"","PhaseSince":"0001-01-01T00:00:00Z","Failure":null,"ClusterID":"","Namespace":"","URL":"","DashboardURL":"","Secrets":null,"WorkersHash":"","Inventory":null,"InventoryDone":false,"Uninstalled":false,"Unexposed":false,"CreatedAt":"2026-11-23T09:00:00Z","ReadyAt":"0001-01-01T00:00:00Z","ExpiresAt":"0001-01-01T00:00:00Z","LastActivityAt":"0001-01-01T00:00:00Z","DeletedAt":"0001-01-01T00:00:00Z","Terms":{"policy":{"ttl":0,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":null,"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0},"from":null},"Ending":null,"EndedBecause":"","KeepUntil":"0001-01-01T00:00:00Z","ClassOver":"0001-01-01T00:00:00Z","CourseEnd":null,"Extensions":0,"Protected":null,"RequestedBy":"","Home":"","Generation":1,"ObservedGeneration":0,"Version":0}');
CREATE TABLE environment_secrets (
    environment TEXT NOT NULL PRIMARY KEY,
    sealed      TEXT NOT NULL
);
INSERT INTO environment_secrets VALUES('ready1','aesgcm:u7vedFqrlS36K1y2TvyLJnzoqNEqRVeF+Lb3wy/1bME/6VZmkeYEYwuCbjch4hQXMKS6UBeG/GvLTDAWx7DPSn3FyUGCS4TtIa6H');
INSERT INTO environment_secrets VALUES('coming1','aesgcm:hB/x5JtjZ16c5JS0RXVseMsyfOGmeJIuYrbBz0mNqSl03MsQ5tkGlIpTsd2UUt0jhiMORtarWklp');
CREATE TABLE clusters (
    id         TEXT     NOT NULL PRIMARY KEY,
    share_key  TEXT     NOT NULL,
    state      TEXT     NOT NULL,
    live       SMALLINT NOT NULL,
    created_at BIGINT   NOT NULL,
    version    BIGINT   NOT NULL,
    document   TEXT     NOT NULL
);
INSERT INTO clusters VALUES('ready1','environment/ready1','ready',1,1795424400000000,1,'{"ID":"ready1","Placement":"dedicated","Given":"","Key":"environment/ready1","Environment":"ready1","Course":"","Project":"class-2026","Shape":{"machineType":"","nodes":0,"minNodes":0,"maxNodes":0,"diskGb":0,"diskType":"","spot":false,"locations":null,"channel":"","version":"","dnsEndpoint":false,"idleMinutes":0},"Attempt":0,"Name":"dask-ready1","Location":"europe-west1-b","Abandoned":null,"Desired":"present","State":"ready","Message":"","Progress":{"done":0,"total":0},"Failure":null,"PhaseSince":"0001-01-01T00:00:00Z","AskedAt":"0001-01-01T00:00:00Z","UnsureUntil":"0001-01-01T00:00:00Z","Operation":"","QuotaChecked":"0001-01-01T00:00:00Z","MaxNodes":3,"DeleteAfter":"2026-11-25T09:00:00Z","CreatedAt":"2026-11-23T09:00:00Z","ReadyAt":"0001-01-01T00:00:00Z","DeletedAt":"0001-01-01T00:00:00Z","IdleSince":"0001-01-01T00:00:00Z","Nodes":0,"Version":0}');
CREATE TABLE events (
    seq         BIGINT NOT NULL PRIMARY KEY,
    environment TEXT   NOT NULL,
    cluster     TEXT   NOT NULL,
    document    TEXT   NOT NULL
);
INSERT INTO events VALUES(1,'ready1','','{"Seq":1,"At":"2026-11-23T09:00:00Z","Environment":"ready1","Cluster":"","Order":"","Type":"requested","State":"","Phase":"","Step":0,"Steps":0,"Message":"Asked for.","Actor":"ann","Detail":""}');
INSERT INTO events VALUES(2,'ready1','','{"Seq":2,"At":"2026-11-23T09:05:00Z","Environment":"ready1","Cluster":"","Order":"","Type":"ready","State":"","Phase":"","Step":0,"Steps":0,"Message":"Ready.","Actor":"","Detail":""}');
INSERT INTO events VALUES(4,'gone1','','{"Seq":4,"At":"2026-11-23T09:00:00Z","Environment":"gone1","Cluster":"","Order":"","Type":"deleted","State":"","Phase":"","Step":0,"Steps":0,"Message":"Deleted.","Actor":"","Detail":""}');
INSERT INTO events VALUES(5,'coming1','','{"Seq":5,"At":"2026-11-23T09:00:00Z","Environment":"coming1","Cluster":"","Order":"","Type":"requested","State":"","Phase":"","Step":0,"Steps":0,"Message":"Asked for.","Actor":"","Detail":""}');
CREATE TABLE replays (
    caller      TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
INSERT INTO replays VALUES('ann','once','f','ready1',1795424400000000);
CREATE TABLE tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    document   TEXT   NOT NULL
);
INSERT INTO tokens VALUES('t1','abc',1795424400000000,1,'{"ID":"t1","Hash":"abc","Role":"staff","Subject":"teacher","Course":"de-2026","CreatedAt":"2026-11-23T09:00:00Z","CreatedBy":"","RevokedAt":"0001-01-01T00:00:00Z","Version":0}');
CREATE TABLE people (
    subject  TEXT   NOT NULL PRIMARY KEY,
    version  BIGINT NOT NULL,
    document TEXT   NOT NULL
, slack_id TEXT NOT NULL DEFAULT '', email TEXT NOT NULL DEFAULT '', lms_id TEXT NOT NULL DEFAULT '');
INSERT INTO people VALUES('ann',1,'{"Subject":"ann","Email":"ann@example.edu","SlackID":"T1:U1","LMSID":"canvas:1","Project":"ann-credits","Version":0}','T1:U1','ann@example.edu','canvas:1');
CREATE TABLE samples (
    key   TEXT   NOT NULL,
    seq   BIGINT NOT NULL,
    nanos BIGINT NOT NULL,
    PRIMARY KEY (key, seq)
);
INSERT INTO samples VALUES('daskhub/cluster',3,240000000000);
CREATE TABLE wakeups (
    kind    TEXT     NOT NULL,
    id      TEXT     NOT NULL,
    wanted  BIGINT   NOT NULL,
    tries   BIGINT   NOT NULL,
    urgency SMALLINT NOT NULL, trail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, id)
);
INSERT INTO wakeups VALUES('environment','coming1',1795424400000000,0,2,'');
INSERT INTO wakeups VALUES('delivery','canvas',1795424400000001,0,2,'');
CREATE TABLE counters (
    name TEXT   NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL
);
INSERT INTO counters VALUES('seq',5);
CREATE TABLE notes (
    key     TEXT   NOT NULL PRIMARY KEY,
    value   TEXT   NOT NULL,
    version BIGINT NOT NULL
, sealed TEXT NOT NULL DEFAULT '');
INSERT INTO notes VALUES('slack/T1','{}',1,'aesgcm:HAKijVuDvR8iTGGnFfuNLCvZzXOFYcvkrcGg3ixwvXmYDyBl+GrK1hArNI38bjw=');
INSERT INTO notes VALUES('notify/slack','{"seq":2}',1,'');
CREATE TABLE uses (
    environment TEXT NOT NULL PRIMARY KEY,
    document    TEXT NOT NULL
);
INSERT INTO uses VALUES('ready1','{"environment":"ready1","activity":{"at":"2026-11-23T09:00:00Z","signals":[{"source":"kernel","kind":"busy","message":"a kernel is running"}]},"verdict":{"is":"","reason":""},"idleLooks":0,"ever":true}');
CREATE TABLE courses (
    id       TEXT     NOT NULL PRIMARY KEY,
    deleted  SMALLINT NOT NULL,
    version  BIGINT   NOT NULL,
    document TEXT     NOT NULL
);
INSERT INTO courses VALUES('de-2026',0,1,'{"ID":"de-2026","Title":"Data engineering","Timezone":"Europe/Paris","Staff":["teacher"],"Members":[{"Subject":"ann@example.edu","Name":"Ann Ärlig","Email":"ann@example.edu","LMSID":"4711","SlackID":"","Project":"","Role":"student"}],"Profile":"","Project":"","Policy":{"ttl":10800000000000,"maxTtl":0,"idle":0,"maxPerOwner":0,"maxPerCourse":0,"maxTotal":0,"extension":0,"extensions":0,"unused":0,"maxBusy":0,"warnings":[1200000000000],"adaptive":false,"idleMin":0,"idleMax":0,"quietHours":"","grace":0,"weeklyHours":0,"ownerBudget":0,"courseBudget":0},"Budget":200,"Schedules":[{"Name":"monday","Course":"","Action":"up","Cron":"45 7 * * MON","Timezone":"","Spread":600000000000,"NotOn":null}],"Holidays":["2026-12-24"],"EndsAt":"2026-11-23T10:00:00Z","LMS":[{"source":"canvas","context":"42"}],"Left":[{"Subject":"bob","At":"2026-11-23T09:00:00Z","EndsAt":"2026-11-24T09:00:00Z","Reason":"","By":"teacher"}],"DeletedAt":"0001-01-01T00:00:00Z","Origin":"stored","File":"","Version":0}');
CREATE TABLE course_bindings (
    source  TEXT NOT NULL,
    context TEXT NOT NULL,
    course  TEXT NOT NULL,
    PRIMARY KEY (source, context)
);
INSERT INTO course_bindings VALUES('canvas','42','de-2026');
CREATE TABLE deliveries (
    id           TEXT     NOT NULL PRIMARY KEY,
    source       TEXT     NOT NULL,
    key          TEXT     NOT NULL,
    weak         SMALLINT NOT NULL,
    about        TEXT     NOT NULL,
    type         TEXT     NOT NULL,
    content_type TEXT     NOT NULL,
    body         TEXT     NOT NULL,
    state        TEXT     NOT NULL,
    reason       TEXT     NOT NULL,
    tries        BIGINT   NOT NULL,
    copies       BIGINT   NOT NULL,
    happened_at  BIGINT   NOT NULL,
    received_at  BIGINT   NOT NULL,
    last_at      BIGINT   NOT NULL,
    settled_at   BIGINT   NOT NULL,
    UNIQUE (source, key)
);
INSERT INTO deliveries VALUES('d1','canvas','k1',0,'de-2026/alice','member.added','application/json','eyJhIjoiXHUwMDAwIn0A/w==','waiting','',0,0,1795424340000000,1795424400000000,1795424400000000,0);
INSERT INTO deliveries VALUES('d2','canvas','k2',0,'de-2026/alice','member.added','application/json','eyJhIjoiXHUwMDAwIn0A/w==','waiting','',0,0,1795424340000000,1795424400000000,1795424400000000,0);
CREATE TABLE river_leader (
    elected_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    leader_id text NOT NULL,
    name text PRIMARY KEY NOT NULL DEFAULT 'default' CHECK (name = 'default'),
    CONSTRAINT name_length CHECK (length(name) > 0 AND length(name) < 128),
    CONSTRAINT leader_id_length CHECK (length(leader_id) > 0 AND length(leader_id) < 128)
);
CREATE TABLE river_migration (
    line text NOT NULL,
    version integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT line_length CHECK (length(line) > 0 AND length(line) < 128),
    CONSTRAINT version_gte_1 CHECK (version >= 1),
    PRIMARY KEY (line, version)
);
INSERT INTO river_migration VALUES('main',1,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',2,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',3,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',4,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',5,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',6,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',7,'2026-11-30 02:59:51');
INSERT INTO river_migration VALUES('main',8,'2026-11-30 02:59:51');
CREATE TABLE river_notification (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at timestamp NOT NULL DEFAULT (datetime('now', 'subsec')),
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
);
CREATE TABLE river_queue (
    name text PRIMARY KEY NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    paused_at timestamp,
    updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE river_job (
    id integer PRIMARY KEY AUTOINCREMENT,
    args blob NOT NULL DEFAULT (jsonb('{}')),
    attempt integer NOT NULL DEFAULT 0,
    attempted_at timestamp,
    attempted_by blob, -- json
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    errors blob, -- json
    finalized_at timestamp,
    kind text NOT NULL,
    max_attempts integer NOT NULL DEFAULT 25,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    priority integer NOT NULL DEFAULT 1,
    queue text NOT NULL DEFAULT 'default',
    state text NOT NULL DEFAULT 'available',
    scheduled_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    tags blob NOT NULL DEFAULT (jsonb('[]')),
    unique_key blob,
    unique_states integer,
    CONSTRAINT finalized_or_finalized_at_null CHECK (
        (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
        (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
    ),
    CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4),
    CONSTRAINT queue_length CHECK (length(queue) > 0 AND length(queue) < 128),
    CONSTRAINT kind_length CHECK (length(kind) > 0 AND length(kind) < 128),
    CONSTRAINT state_valid CHECK (state IN ('available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled'))
);
INSERT INTO river_job VALUES(1,X'cc1b37726f77b7656e7669726f6e6d656e7427696477636f6d696e6731',0,NULL,NULL,'2026-11-30 02:59:51.390',NULL,NULL,'look',32767,X'cc26c71272697665723a756e697175655f6e6f6e6365c71039333535383662643739303430363162',2,'default','available','2026-11-30 02:59:51.390',X'0b',X'b2512e86bf2e4af145a738ea34b6891a6da6fb36f6079444c69785da8e6a6cde',241);
INSERT INTO river_job VALUES(2,X'cc1737726f778764656c69766572792769646763616e766173',0,NULL,NULL,'2026-11-30 02:59:51.421',NULL,NULL,'look',32767,X'cc26c71272697665723a756e697175655f6e6f6e6365c71032373332326632663034343564363834',2,'default','available','2026-11-30 02:59:51.421',X'0b',X'0c721d7f8b0e64d5b3955b75a44ec7eb5d2abec2283e71a9b4d7768f7418aa1d',241);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',11);
INSERT INTO sqlite_sequence VALUES('river_job',3);
CREATE UNIQUE INDEX environments_live ON environments (owner, course, profile) WHERE live = 1;
CREATE INDEX environments_newest ON environments (created_at, id);
CREATE INDEX environments_owner ON environments (owner, created_at, id);
CREATE INDEX environments_course ON environments (course, created_at, id);
CREATE INDEX environments_cluster ON environments (cluster_id) WHERE cluster_id <> '';
CREATE UNIQUE INDEX clusters_live ON clusters (share_key) WHERE live = 1 AND share_key <> '';
CREATE INDEX events_environment ON events (environment, seq);
CREATE UNIQUE INDEX people_slack_id ON people (slack_id) WHERE slack_id <> '';
CREATE INDEX people_email ON people (email) WHERE email <> '';
CREATE INDEX course_bindings_course ON course_bindings (course);
CREATE INDEX deliveries_waiting ON deliveries (source, received_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_about ON deliveries (source, about, happened_at) WHERE about <> '';
CREATE INDEX deliveries_newest ON deliveries (received_at, id);
CREATE INDEX people_lms_id ON people (lms_id) WHERE lms_id <> '';
CREATE INDEX river_notification_created_at_idx ON river_notification (created_at);
CREATE INDEX river_notification_topic_id_idx ON river_notification (topic, id);
CREATE INDEX river_job_kind ON river_job (kind);
CREATE INDEX river_job_state_and_finalized_at_index ON river_job (state, finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX river_job_prioritized_fetching_index ON river_job (state, queue, priority, scheduled_at, id);
CREATE UNIQUE INDEX river_job_unique_idx ON river_job (unique_key)
    WHERE unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND CASE state
            WHEN 'available' THEN unique_states & (1 << 0)
            WHEN 'cancelled' THEN unique_states & (1 << 1)
            WHEN 'completed' THEN unique_states & (1 << 2)
            WHEN 'discarded' THEN unique_states & (1 << 3)
            WHEN 'pending'   THEN unique_states & (1 << 4)
            WHEN 'retryable' THEN unique_states & (1 << 5)
            WHEN 'running'   THEN unique_states & (1 << 6)
            WHEN 'scheduled' THEN unique_states & (1 << 7)
            ELSE 0
        END >= 1;
COMMIT;
