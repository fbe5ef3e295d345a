package clients

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// incident is a minute of real traces, logs and metrics of a shop in trouble.
const incident = "../../../../shared/data/nezha/dev/tt-2023-01-29/0912"

// postgresBin is where Debian keeps the programs of PostgreSQL 15.
const postgresBin = "/usr/lib/postgresql/15/bin/"

// A server is where a program connects to.
type server struct {
	name, host, port string
	database         string // tael if empty
	admin            string // the gateway's address for operators
	endpoints        string // file that says where the gateway listens
}

func (s server) dsn() string {
	return fmt.Sprintf("host=%s port=%s user=tael dbname=%s sslmode=disable", s.host, s.port, cmp.Or(s.database, "tael"))
}

// environment tells programs the server, as libpq and its kin read it.
func (s server) environment() []string {
	env := []string{"PGHOST=" + s.host, "PGPORT=" + s.port, "PGUSER=tael", "PGDATABASE=tael", "PGSSLMODE=disable", "TZ=UTC", "LC_ALL=C.UTF-8"}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "PG") && name != "TZ" && !strings.HasPrefix(name, "LC_") && name != "LANG" {
			env = append(env, v)
		}
	}
	return env
}

// A process is a server that the tests started.
type process struct {
	cmd *exec.Cmd
	log *os.File
}

func start(log string, cmd *exec.Cmd) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, log: f}, nil
}

// stop ends the process in order and says whether it went well.
func (p *process) stop(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	err := p.cmd.Wait()
	return errors.Join(err, p.log.Close())
}

// startEmpty runs bin/tael-sql on a new folder.
func startEmpty(binary, dir string) (server, *process, error) {
	data := filepath.Join(dir, "data")
	p, err := start(filepath.Join(dir, "tael-sql.log"), exec.Command(binary, "serve", "--data-dir", data,
		"--pg-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"))
	if err != nil {
		return server{}, nil, err
	}
	var at struct{ PG, Admin string }
	err = eventually(func() error {
		raw, err := os.ReadFile(filepath.Join(data, "endpoints.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &at)
	})
	if err != nil {
		return server{}, p, err
	}
	host, port, err := net.SplitHostPort(at.PG)
	return server{name: "tael-sql", host: host, port: port, admin: at.Admin, endpoints: filepath.Join(data, "endpoints.json")}, p, err
}

// startGateway runs bin/tael-sql on a new folder with the incident in it.
func startGateway(binary, dir string) (server, *process, error) {
	s, p, err := startEmpty(binary, dir)
	if err != nil {
		return s, p, err
	}
	data := filepath.Dir(s.endpoints)
	args := []string{"import", "--data-dir", data}
	for _, signal := range []string{"traces", "logs", "metrics"} {
		args = append(args, incident+"."+signal+".otlp.zst")
	}
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		return s, p, fmt.Errorf("import: %w: %s", err, out)
	}
	return s, p, nil
}

// startPostgreSQL runs a PostgreSQL 15 with the gateway's rows.
func startPostgreSQL(dir string, gateway server) (server, *process, error) {
	as := func(*exec.Cmd) {}
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return server{}, nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chmod(dir, 0o755); err != nil {
			return server{}, nil, err
		}
		dir = filepath.Join(dir, "postgresql")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, uid, gid)); err != nil {
			return server{}, nil, err
		}
		as = func(c *exec.Cmd) {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
			c.Dir = dir
		}
	}
	data := filepath.Join(dir, "pgdata")
	initdb := exec.Command(postgresBin+"initdb", "-D", data, "-U", "tael", "-A", "trust", "-N", "--encoding=UTF8", "--locale=C.UTF-8")
	as(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return server{}, nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return server{}, nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		return server{}, nil, err
	}
	cmd := exec.Command(postgresBin+"postgres", "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "fsync=off", "-c", "timezone=UTC", "-c", "lc_messages=C", "-c", "shared_buffers=64MB", "-c", "max_connections=50")
	as(cmd)
	p, err := start(filepath.Join(filepath.Dir(data), "..", "postgresql.log"), cmd)
	if err != nil {
		return server{}, nil, err
	}
	s := server{name: "PostgreSQL", host: "127.0.0.1", port: port}
	admin := strings.Replace(s.dsn(), "dbname=tael", "dbname=postgres", 1)
	err = eventually(func() error { return execute(admin, "CREATE DATABASE tael") })
	if err != nil {
		return s, p, err
	}
	mirror, err := os.ReadFile("mirror.sql")
	if err != nil {
		return s, p, err
	}
	text := strings.NewReplacer("@host@", gateway.host, "@port@", gateway.port).Replace(string(mirror))
	return s, p, execute(s.dsn(), text)
}

func execute(dsn, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}

// eventually tries f until it succeeds, for at most 30 seconds.
func eventually(f func() error) error {
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-deadline.C:
			return err
		case <-tick.C:
		}
	}
}
