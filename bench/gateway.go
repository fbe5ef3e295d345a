package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tael-sql/tael-sql/bench/workload"
	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A gateway is a serve process on a folder of its own.
type gateway struct {
	cmd  *exec.Cmd
	otlp string
	pg   string // host:port
}

func startGateway(binary, dir string) (*gateway, error) {
	cmd := exec.Command(binary, "serve", "--data-dir", dir, "--pg-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0",
		"--otlp-http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &gateway{cmd: cmd}
	for range 200 {
		raw, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
		var endpoints struct {
			OTLP string `json:"otlp_grpc"`
			PG   string `json:"pg"`
		}
		if err == nil && json.Unmarshal(raw, &endpoints) == nil {
			if conn, err := net.Dial("tcp", endpoints.OTLP); err == nil {
				g.otlp, g.pg = endpoints.OTLP, endpoints.PG
				return g, conn.Close()
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("the gateway does not come up"), cmd.Process.Kill())
}

// stop ends the process as an operator does: it flushes what it holds.
func (g *gateway) stop() error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return g.cmd.Wait()
}

// comment writes the comments.
func (g *gateway) comment(ctx context.Context, data workload.Data) error {
	conn, err := pgx.Connect(ctx, "postgres://tael@"+g.pg+"/tael?sslmode=disable")
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	data.Comments(func(trace [16]byte) {
		batch.Queue("INSERT INTO comments (trace_id, body) VALUES ($1, 'seen')", hex.EncodeToString(trace[:]))
	})
	batch.Queue("COMMIT")
	return errors.Join(conn.SendBatch(ctx, batch).Close(), conn.Close(ctx))
}

// memory gives what is resident now and was at most, in MB.
func (g *gateway) memory() (now, most int) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(g.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "VmRSS:":
			now = kb / 1024
		case "VmHWM:":
			most = kb / 1024
		}
	}
	return now, most
}

// cpu gives the processor seconds that the process has used.
func (g *gateway) cpu() float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(g.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // clock ticks
}

// requestFile makes the requests of a signal once and keeps them in a file,
// each after its length.
func requestFile(dir string, data workload.Data, signal record.Type) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%s-2-%d-%g.otlp", signal, data.Seed, data.Scale))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	e := workload.NewEncoder(func(request []byte) {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(request)))
		_, _ = w.Write(length[:]) // Flush tells
		_, _ = w.Write(request)
	})
	switch signal {
	case record.Traces:
		data.Spans(e.Span)
		data.Calls(e.Call)
	case record.Logs:
		data.Logs(e.Log)
	default:
		data.Points(e.Point)
	}
	e.Flush()
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(path+".tmp", path)
}

// An ingestion is how sending a file went.
type ingestion struct {
	requests int
	took     time.Duration
	cpu      float64 // server seconds
	acks     []time.Duration
}

// send sends a file of requests by so many writers, each waiting for its answers.
func (g *gateway) send(ctx context.Context, path string, signal record.Type, writers int) (*ingestion, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	requests := make(chan []byte, 4*writers)
	out := &ingestion{}
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	cpu := g.cpu()
	start := time.Now()
	for range writers {
		wg.Go(func() {
			client, err := ingest.NewClient("grpc://" + g.otlp)
			if err == nil {
				defer func() { _ = client.Close() }()
			}
			var acks []time.Duration
			for r := range requests {
				for err == nil {
					begin := time.Now()
					answer, passes, sendErr := client.Send(ctx, signal, r)
					if sendErr == nil && len(answer) > 0 {
						sendErr = fmt.Errorf("partial success: %x", answer)
					}
					if sendErr == nil {
						acks = append(acks, time.Since(begin))
						break
					}
					if !passes {
						err = sendErr
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out.acks = append(out.acks, acks...)
			failed = errors.Join(failed, err)
		})
	}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		var length [4]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			break
		}
		r := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(in, r); err != nil {
			failed = err
			break
		}
		requests <- r
		out.requests++
	}
	close(requests)
	wg.Wait()
	out.took, out.cpu = time.Since(start), g.cpu()-cpu
	slices.Sort(out.acks)
	return out, failed
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
