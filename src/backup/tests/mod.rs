mod daily;
mod file;
