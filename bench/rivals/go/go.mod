module libnet/bench/go

go 1.19
